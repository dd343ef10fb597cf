//! Everybody who founds a cluster over several machines, with what each contributes.

use keystead_decision::ceremony::{
    Assent, CeremonyError, CheckedTranscript, Contribution, FounderPart, NodePart, Part, ServicePart,
    SignedContribution, Transcript,
};

use keystead_policy::PolicyVersion;

use crate::fixture::{BIRTH, Desk, Member, name};

/// Four nodes, three founders and a service, each with its contribution.
#[derive(Debug)]
pub struct Hall {
    /// Everybody, with their secrets.
    pub members: Vec<Member>,
    /// What they contributed.
    pub contributions: Vec<SignedContribution>,
}

impl Hall {
    /// The whole hall.
    pub fn open() -> Self {
        Self::of(4)
    }

    /// With so many nodes.
    pub fn of(nodes: u8) -> Self {
        let mut members: Vec<Member> = (1..=nodes).map(|it| Member::new(&format!("node-{it}"), it)).collect();
        members.push(Member::new("desk", 20));
        members.extend(["ana", "ben", "cleo"].iter().zip(30..).map(|(who, byte)| Member::new(who, byte)));
        let contributions = members.iter().map(contribution).collect();
        Self { members, contributions }
    }

    /// The member of this name.
    pub fn member(&self, who: &str) -> &Member {
        self.members.iter().find(|it| it.name.as_str() == who).expect("one of the hall")
    }

    /// The contribution of this member.
    pub fn own(&self, who: &str) -> &SignedContribution {
        self.contributions.iter().find(|it| it.body().name.as_str() == who).expect("one of the hall")
    }

    /// All contributions, with another in the place of the one of that name.
    pub fn with(&self, other: SignedContribution) -> Vec<SignedContribution> {
        let name = &other.body().name;
        let kept = self.contributions.iter().filter(|it| it.body().name != *name).cloned();
        kept.chain([other.clone()]).collect()
    }

    /// All contributions but those of these members.
    pub fn without(&self, who: &[&str]) -> Vec<SignedContribution> {
        let leaves = |it: &&SignedContribution| !who.contains(&it.body().name.as_str());
        self.contributions.iter().filter(leaves).cloned().collect()
    }

    /// The transcript under the fixture's policy.
    pub fn draft(&self) -> CheckedTranscript {
        assemble(self.contributions.clone(), Desk::default().policy()).expect("a draft")
    }

    /// The signature of a member who heard the right fingerprint.
    pub fn assent(&self, draft: &CheckedTranscript, who: &str) -> Result<Assent, CeremonyError> {
        let heard = draft.fingerprint();
        draft.assent(self.own(who), heard, &self.member(who).signer)
    }

    /// Everybody's signature.
    pub fn assents(&self, draft: &CheckedTranscript) -> Vec<Assent> {
        self.members.iter().map(|it| self.assent(draft, it.name.as_str()).expect("a signature")).collect()
    }
}

/// A transcript of these contributions, under this policy with their roster.
pub fn assemble(
    contributions: Vec<SignedContribution>,
    policy: PolicyVersion,
) -> Result<CheckedTranscript, CeremonyError> {
    let version = |roster| Ok(PolicyVersion { roster, ..policy });
    Transcript::assemble(name("treasury"), BIRTH, contributions, version)
}

/// What a member contributes.
pub fn body(member: &Member) -> Contribution {
    Contribution {
        ceremony: name("treasury"),
        name: member.name.clone(),
        key: member.signer.public().clone(),
        transport: member.transport(),
        part: part(member),
    }
}

/// What a member is to be, by its name.
pub fn part(member: &Member) -> Part {
    let who = member.name.as_str();
    match who {
        "desk" => Part::Service(ServicePart { roles: vec![name("desk")] }),
        _ if who.starts_with("node") => Part::Node(NodePart {
            address: format!("{who}.example:7400"),
            operator: format!("Operator of {who}"),
            host: who.to_owned(),
            provider: "own".to_owned(),
            build: "test".to_owned(),
        }),
        _ => {
            let recipient = member.transport().0.0.iter().copied().cycle().take(1216).collect();
            let roles = ["approver", "founder", "freezer", "trader", "vetoer"].map(name).to_vec();
            Part::Founder(FounderPart { roles, device: name("laptop"), recipient })
        }
    }
}

/// What a node contributes to a cluster of this name, signed.
pub fn contribution_to(cluster: &str, member: &Member) -> SignedContribution {
    let body = Contribution { ceremony: name(cluster), ..body(member) };
    SignedContribution::new(body, &member.signer).expect("a contribution")
}

/// The same, signed.
pub fn contribution(member: &Member) -> SignedContribution {
    SignedContribution::new(body(member), &member.signer).expect("one of the hall")
}
