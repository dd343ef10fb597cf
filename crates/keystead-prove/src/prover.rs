//! The questions, and the solver that answers them.

use std::future::Future;

use cedar_policy::{Policy, PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env};
use keystead_policy::{Engine, PolicyVersion};
use serde::Serialize;

use crate::auxiliary::Vocabulary;
use crate::passage::{Passage, Scene, parse};
use crate::property::Property;
use crate::{Properties, ProveError, Witness};

/// A running solver. It ends with this value.
#[derive(Debug)]
pub struct Prover {
    compiler: CedarSymCompiler<LocalSolver>,
}

/// What is claimed of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Theorem {
    /// A rule never fails, whatever it is asked. What fails denies, so that a failing rule blocks what it should not.
    NeverFails {
        /// The rule.
        rule: String,
    },
    /// Nothing that passes matches a stated property.
    Property {
        /// Its name.
        id: String,
        /// What it says, in its author's words.
        note: String,
    },
}

/// A theorem with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was asked.
    pub theorem: Theorem,
    /// A request that refutes it; none where it is proven.
    pub refuted_by: Option<Witness>,
}

impl Finding {
    /// Whether it is proven.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.refuted_by.is_none()
    }
}

/// What rules and rows of two versions let pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Passes under the next one alone: none where everything that passes there passes today.
    pub newly_passes: Option<Witness>,
    /// Passes under the current one alone.
    pub no_longer_passes: Option<Witness>,
    /// Whether a rule of either can fail to evaluate, which denies where the model would go on: then nothing is told.
    pub rules_may_fail: bool,
}

impl Prover {
    /// Starts cvc5, which has a minute for each question.
    ///
    /// # Errors
    ///
    /// [`ProveError::SolverMissing`].
    pub fn start() -> Result<Self, ProveError> {
        let missing = |reason: String| ProveError::SolverMissing { reason };
        let solver =
            LocalSolver::cvc5_with_args([MINUTE_EACH]).map_err(|error| missing(error.to_string()))?;
        let compiler = CedarSymCompiler::new(solver).map_err(|error| missing(error.to_string()))?;
        Ok(Self { compiler })
    }

    /// Whether each rule answers whatever it is asked.
    ///
    /// # Errors
    ///
    /// [`ProveError`]: the version does not compile, or the solver has no answer.
    pub async fn failures(&mut self, version: &PolicyVersion) -> Result<Vec<Finding>, ProveError> {
        Engine::compile(version.clone())?;
        let vocabulary = Vocabulary::of(&[version])?;
        let mut findings = Vec::new();
        for rule in &version.rules {
            let policy = parse(rule.id.as_str(), &rule.cedar)?;
            let refuted_by = self.fails(rule.id.as_str(), &policy, &vocabulary).await?;
            let rule = rule.id.to_string();
            findings.push(Finding { theorem: Theorem::NeverFails { rule }, refuted_by });
        }
        Ok(findings)
    }

    /// Whether each property holds of everything that passes under a version.
    ///
    /// # Errors
    ///
    /// [`ProveError`]: a property does not fit the version's words, the version does not compile, or the solver has no
    /// answer.
    pub async fn properties(
        &mut self,
        version: &PolicyVersion,
        properties: &Properties,
    ) -> Result<Vec<Finding>, ProveError> {
        Engine::compile(version.clone())?;
        let vocabulary = Vocabulary::of(&[version])?;
        let mut findings = Vec::new();
        for property in properties.fitting(&vocabulary)? {
            let matching = property.matching()?;
            let mut refuted_by = None;
            self.refuse_failing(property, &vocabulary).await?;
            for env in vocabulary.schema.request_envs() {
                let passing = compiled(version, &vocabulary, &env)?;
                let matching = compile(&property.id, &matching, &env, &vocabulary.schema)?;
                let found = self.compiler.check_disjoint_with_counterexample_opt(&passing, &matching);
                refuted_by = refuted_by.or(answer(&property.id, found).await?);
            }
            let theorem = Theorem::Property { id: property.id.clone(), note: property.note.clone() };
            findings.push(Finding { theorem, refuted_by });
        }
        Ok(findings)
    }

    /// What fails to evaluate matches nothing: a sum that overflows would leave out the largest amounts.
    async fn refuse_failing(
        &mut self,
        property: &Property,
        vocabulary: &Vocabulary,
    ) -> Result<(), ProveError> {
        if self.fails(&property.id, property.forbid(), vocabulary).await?.is_none() {
            return Ok(());
        }
        let expected =
            "a condition that never fails to evaluate (compare amounts with numbers, do not add them)";
        let found = "one that can fail".to_owned();
        Err(ProveError::Property { property: property.id.clone(), expected, found })
    }

    async fn fails(
        &mut self,
        about: &str,
        policy: &Policy,
        vocabulary: &Vocabulary,
    ) -> Result<Option<Witness>, ProveError> {
        for env in vocabulary.schema.request_envs() {
            let compiled = CompiledPolicy::compile(policy, &env, &vocabulary.schema);
            let compiled = compiled.map_err(|error| undecided(about, &error))?;
            let found = self.compiler.check_never_errors_with_counterexample_opt(&compiled);
            if let Some(witness) = answer(about, found).await? {
                return Ok(Some(witness));
            }
        }
        Ok(None)
    }

    async fn may_fail(
        &mut self,
        version: &PolicyVersion,
        vocabulary: &Vocabulary,
    ) -> Result<bool, ProveError> {
        for rule in &version.rules {
            let policy = parse(rule.id.as_str(), &rule.cedar)?;
            if self.fails(rule.id.as_str(), &policy, vocabulary).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What rules, rows and chains of one version let pass that those of the other do not.
    ///
    /// # Errors
    ///
    /// [`ProveError`]: a version does not compile, or the solver has no answer.
    pub async fn compare(
        &mut self,
        current: &PolicyVersion,
        next: &PolicyVersion,
    ) -> Result<Comparison, ProveError> {
        Engine::compile(current.clone())?;
        Engine::compile(next.clone())?;
        let vocabulary = Vocabulary::of(&[current, next])?;
        let rules_may_fail =
            self.may_fail(current, &vocabulary).await? || self.may_fail(next, &vocabulary).await?;
        let mut comparison = Comparison { rules_may_fail, ..Comparison::default() };
        for env in vocabulary.schema.request_envs() {
            let before = compiled(current, &vocabulary, &env)?;
            let after = compiled(next, &vocabulary, &env)?;
            if comparison.newly_passes.is_none() {
                let found = self.compiler.check_implies_with_counterexample_opt(&after, &before);
                comparison.newly_passes = answer("what newly passes", found).await?;
            }
            if comparison.no_longer_passes.is_none() {
                let found = self.compiler.check_implies_with_counterexample_opt(&before, &after);
                comparison.no_longer_passes = answer("what no longer passes", found).await?;
            }
        }
        Ok(comparison)
    }
}

fn compiled(
    version: &PolicyVersion,
    vocabulary: &Vocabulary,
    env: &RequestEnv,
) -> Result<CompiledPolicySet, ProveError> {
    let passage = Passage { version, vocabulary, scene: scene(env) };
    compile("the policy", &passage.policies()?, env, &vocabulary.schema)
}

fn compile(
    about: &str,
    policies: &PolicySet,
    env: &RequestEnv,
    schema: &Schema,
) -> Result<CompiledPolicySet, ProveError> {
    CompiledPolicySet::compile(policies, env, schema).map_err(|error| undecided(about, &error))
}

/// Of which kind the requests of an environment are.
fn scene(env: &RequestEnv) -> Scene {
    let action: &str = env.action().id().unescaped();
    match (action, env.resource().to_string().as_str()) {
        ("authority", "Cluster") => Scene::ChangeOfCluster,
        ("authority", _) => Scene::ChangeOfKey,
        _ => Scene::Effect,
    }
}

async fn answer(
    about: &str,
    found: impl Future<Output = Result<Option<Env>, cedar_policy_symcc::err::Error>>,
) -> Result<Option<Witness>, ProveError> {
    let found = found.await.map_err(|error| undecided(about, &error))?;
    Ok(found.as_ref().map(Witness::of))
}

fn undecided(about: &str, error: &cedar_policy_symcc::err::Error) -> ProveError {
    ProveError::Undecided { about: about.to_owned(), reason: error.to_string() }
}

/// cvc5's limit for one question, in milliseconds. Without `-per` it would be for all that a process is ever asked, and a
/// busy machine would decide what can be proven.
const MINUTE_EACH: &str = "--tlimit-per=60000";
