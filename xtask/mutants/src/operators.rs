//! What is changed: returns, comparisons, boolean and integer operators, conditions, statements.
//!
//! Not changed: tests, constants, macros, what formats or names errors (`fmt`, `code`, `blame`).

use std::ops::Range;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    BinOp, Block, Expr, ExprBinary, ImplItemFn, Item, ItemFn, ReturnType, Signature, Stmt, Type, UnOp,
};

use crate::edits::{Edit, Piece};
use crate::sources::is_test;

/// The mutants of one file.
pub(crate) struct Finds {
    pub(crate) mutants: Vec<Found>,
    pub(crate) edits: Vec<Edit>,
}

/// One mutant.
pub(crate) struct Found {
    pub(crate) id: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) function: String,
    pub(crate) change: String,
}

/// Finds all mutants of a text; their numbers begin with `first`.
pub(crate) fn find(text: &str, first: usize) -> syn::Result<Finds> {
    let file = syn::parse_file(text)?;
    let mut finder =
        Finder { text, next: first, function: Vec::new(), mutants: Vec::new(), edits: Vec::new() };
    finder.visit_file(&file);
    Ok(Finds { mutants: finder.mutants, edits: finder.edits })
}

struct Finder<'t> {
    text: &'t str,
    next: usize,
    function: Vec<String>,
    mutants: Vec<Found>,
    edits: Vec<Edit>,
}

/// Functions whose mutants say nothing about what is decided.
const WORDS_ONLY: [&str; 3] = ["fmt", "code", "blame"];

/// Methods and what each is taken for.
const TWINS: [(&str, &str); 6] =
    [("any", "all"), ("all", "any"), ("min", "max"), ("max", "min"), ("first", "last"), ("last", "first")];

/// Methods whose answer is a truth value.
const QUESTIONS: [&str; 13] = [
    "is_some",
    "is_none",
    "is_ok",
    "is_err",
    "is_empty",
    "is_zero",
    "is_some_and",
    "is_none_or",
    "contains",
    "contains_key",
    "starts_with",
    "is_final",
    "eq",
];

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let skipped = match item {
            Item::Mod(it) => is_test(&it.attrs),
            Item::Fn(it) => is_test(&it.attrs),
            Item::Impl(it) => is_test(&it.attrs),
            Item::Const(_) | Item::Static(_) | Item::Macro(_) | Item::Use(_) => true,
            _ => false,
        };
        if !skipped {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, it: &'ast ItemFn) {
        self.function(&it.sig, &it.block, |this| visit::visit_block(this, &it.block));
    }

    fn visit_impl_item_fn(&mut self, it: &'ast ImplItemFn) {
        self.function(&it.sig, &it.block, |this| visit::visit_block(this, &it.block));
    }

    fn visit_trait_item_fn(&mut self, it: &'ast syn::TraitItemFn) {
        if let Some(block) = &it.default {
            self.function(&it.sig, block, |this| visit::visit_block(this, block));
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement
            && matches!(expression, Expr::Call(_) | Expr::MethodCall(_) | Expr::Try(_) | Expr::Assign(_))
        {
            let range = statement.span().byte_range();
            let id = self.mutant(&range, "statement deleted".to_owned());
            self.edit(
                range.clone(),
                vec![id],
                vec![text(format!("if !{} {{ ", on(id))), source(range), text(" }")],
            );
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr_binary(&mut self, it: &'ast ExprBinary) {
        if !has_let(&it.left) && !has_let(&it.right) {
            self.binary(it);
        }
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast syn::ExprUnary) {
        if matches!(it.op, UnOp::Not(_)) {
            self.negate(it.span().byte_range(), "`!` deleted");
        }
        visit::visit_expr_unary(self, it);
    }

    fn visit_expr_if(&mut self, it: &'ast syn::ExprIf) {
        self.condition(&it.cond, "condition of `if` negated");
        visit::visit_expr_if(self, it);
    }

    fn visit_arm(&mut self, it: &'ast syn::Arm) {
        if let Some((_, guard)) = &it.guard {
            self.condition(guard, "guard of an arm negated");
        }
        visit::visit_arm(self, it);
    }

    fn visit_expr_match(&mut self, it: &'ast syn::ExprMatch) {
        self.arms(it);
        visit::visit_expr_match(self, it);
    }

    fn visit_expr_method_call(&mut self, it: &'ast syn::ExprMethodCall) {
        let name = it.method.to_string();
        if QUESTIONS.contains(&name.as_str()) {
            self.negate(it.span().byte_range(), &format!("`{name}` negated"));
        } else if let Some((_, twin)) = TWINS.iter().find(|(from, _)| *from == name) {
            self.twin(it, &name, twin);
        }
        visit::visit_expr_method_call(self, it);
    }
}

impl Finder<'_> {
    fn function(&mut self, signature: &Signature, block: &Block, walk: impl FnOnce(&mut Self)) {
        let name = signature.ident.to_string();
        // A switch is no constant.
        if signature.constness.is_some() || WORDS_ONLY.contains(&name.as_str()) {
            return;
        }
        self.function.push(name);
        if !block.stmts.is_empty() {
            self.returns(signature, block);
        }
        walk(self);
        self.function.pop();
    }

    fn returns(&mut self, signature: &Signature, block: &Block) {
        let at = block.brace_token.span.open().byte_range().end;
        for value in replacements(&signature.output) {
            let line = signature.ident.span().byte_range();
            let id = self.mutant(&line, format!("returns `{value}`"));
            let early = format!(" if {} {{ return {value}; }}", on(id));
            self.edits.push(Edit { range: at..at, pieces: vec![text(early)], ids: vec![id] });
        }
    }

    fn binary(&mut self, it: &ExprBinary) {
        let (range, left, right) =
            (it.span().byte_range(), it.left.span().byte_range(), it.right.span().byte_range());
        let sign = self.text.get(it.op.span().byte_range()).unwrap_or_default().to_owned();
        match it.op {
            BinOp::Eq(_) | BinOp::Ne(_) => self.negate(range, &format!("`{sign}` negated")),
            BinOp::And(_) => self.junction(range, left, right, "`&&` to `||`", false),
            BinOp::Or(_) => self.junction(range, left, right, "`||` to `&&`", true),
            BinOp::Lt(_) => self.order(range, left, right, "<", ["<=", ">="]),
            BinOp::Le(_) => self.order(range, left, right, "<=", ["<", ">"]),
            BinOp::Gt(_) => self.order(range, left, right, ">", [">=", "<="]),
            BinOp::Ge(_) => self.order(range, left, right, ">=", [">", "<"]),
            BinOp::Add(_) => self.arithmetic(range, left, right, "+", "-"),
            BinOp::Sub(_) => self.arithmetic(range, left, right, "-", "+"),
            BinOp::Mul(_) => self.arithmetic(range, left, right, "*", "+"),
            BinOp::Div(_) => self.arithmetic(range, left, right, "/", "*"),
            BinOp::Rem(_) => self.arithmetic(range, left, right, "%", "/"),
            BinOp::AddAssign(_) => self.arithmetic(range, left, right, "+=", "-="),
            BinOp::SubAssign(_) => self.arithmetic(range, left, right, "-=", "+="),
            _ => {}
        }
    }

    /// `a < b` with its limit moved by one, and turned round. Both sides are evaluated once.
    fn order(
        &mut self,
        range: Range<usize>,
        left: Range<usize>,
        right: Range<usize>,
        sign: &str,
        others: [&str; 2],
    ) {
        let ids = others.map(|other| self.mutant(&range, format!("`{sign}` to `{other}`")));
        let [first, second] = others;
        let [one, two] = ids;
        let choice = format!(
            ")); if {} {{ l {first} r }} else if {} {{ l {second} r }} else {{ l {sign} r }} }})",
            on(one),
            on(two)
        );
        let pieces =
            vec![text("({ let (l, r) = (&("), source(left), text("), &("), source(right), text(choice)];
        self.edit(range, ids.to_vec(), pieces);
    }

    /// `a && b` is `!(!a || !b)`: one switch turns one into the other, and evaluates as the other would.
    fn junction(
        &mut self,
        range: Range<usize>,
        left: Range<usize>,
        right: Range<usize>,
        change: &str,
        or: bool,
    ) {
        let id = self.mutant(&range, change.to_owned());
        let switch = if or { format!("!{}", on(id)) } else { on(id) };
        let pieces = vec![
            text("((((("),
            source(left),
            text(format!(")) ^ {switch}) && ((")),
            source(right),
            text(format!(") ^ {switch})) ^ {switch})")),
        ];
        self.edit(range, vec![id], pieces);
    }

    fn arithmetic(
        &mut self,
        range: Range<usize>,
        left: Range<usize>,
        right: Range<usize>,
        sign: &str,
        other: &str,
    ) {
        let id = self.mutant(&range, format!("`{sign}` to `{other}`"));
        let operation = |sign: &str| [source(left.clone()), text(format!(" {sign} ")), source(right.clone())];
        let mut pieces = vec![text(format!("(if {} {{ ", on(id)))];
        pieces.extend(operation(other));
        pieces.push(text(" } else { "));
        pieces.extend(operation(sign));
        pieces.push(text(" })"));
        self.edit(range, vec![id], pieces);
    }

    fn negate(&mut self, range: Range<usize>, change: &str) {
        let id = self.mutant(&range, change.to_owned());
        let pieces = vec![text("(("), source(range.clone()), text(format!(") ^ {})", on(id)))];
        self.edit(range, vec![id], pieces);
    }

    /// Conditions that other operators do not change already.
    fn condition(&mut self, condition: &Expr, change: &str) {
        let changed_already = match condition {
            Expr::MethodCall(it) => QUESTIONS.contains(&it.method.to_string().as_str()),
            Expr::Path(_) | Expr::Call(_) | Expr::Field(_) | Expr::Macro(_) => false,
            _ => true,
        };
        if !changed_already {
            self.negate(condition.span().byte_range(), change);
        }
    }

    fn twin(&mut self, it: &syn::ExprMethodCall, name: &str, twin: &str) {
        let (range, method) = (it.span().byte_range(), it.method.span().byte_range());
        let id = self.mutant(&range, format!("`{name}` to `{twin}`"));
        let (before, after) = (range.start..method.start, method.end..range.end);
        let call = |name: &str| [source(before.clone()), text(name.to_owned()), source(after.clone())];
        let mut pieces = vec![text(format!("(if {} {{ ", on(id)))];
        pieces.extend(call(twin));
        pieces.push(text(" } else { "));
        pieces.extend(call(name));
        pieces.push(text(" })"));
        self.edit(range, vec![id], pieces);
    }

    /// An arm is deleted where a later one takes everything.
    fn arms(&mut self, it: &syn::ExprMatch) {
        let Some((last, arms)) = it.arms.split_last() else { return };
        // A name in capitals is a variant, and takes only itself.
        let takes_all = match &last.pat {
            syn::Pat::Wild(_) => true,
            syn::Pat::Ident(it) => it.ident.to_string().starts_with(char::is_lowercase),
            _ => false,
        };
        if last.guard.is_some() || !takes_all {
            return;
        }
        for arm in arms.iter().filter(|arm| arm.guard.is_none()) {
            let range = arm.pat.span().byte_range();
            let id = self.mutant(&range, "arm deleted".to_owned());
            let pieces = vec![source(range.clone()), text(format!(" if !{}", on(id)))];
            self.edit(range, vec![id], pieces);
        }
    }

    fn mutant(&mut self, range: &Range<usize>, change: String) -> usize {
        let before = self.text.get(..range.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        let id = self.next;
        self.next += 1;
        let function = self.function.last().cloned().unwrap_or_default();
        self.mutants.push(Found { id, line, column, function, change });
        id
    }

    /// One edit for each stretch: a second one on the same bytes would change the same thing.
    fn edit(&mut self, range: Range<usize>, ids: Vec<usize>, pieces: Vec<Piece>) {
        if self.edits.iter().any(|edit| edit.range == range && !range.is_empty()) {
            self.mutants.retain(|it| !ids.contains(&it.id));
            self.next -= ids.len();
            return;
        }
        self.edits.push(Edit { range, pieces, ids });
    }
}

fn on(id: usize) -> String {
    format!("crate::mutant_switch::on({id})")
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

fn source(range: Range<usize>) -> Piece {
    Piece::Source(range)
}

fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(it) => has_let(&it.left) || has_let(&it.right),
        _ => false,
    }
}

/// Values that a function may return instead of its own; those that do not build are left out later.
fn replacements(output: &ReturnType) -> Vec<String> {
    let ReturnType::Type(_, of) = output else { return vec!["()".to_owned()] };
    values(of)
}

fn values(of: &Type) -> Vec<String> {
    let all = |list: &[&str]| list.iter().map(|&it| it.to_owned()).collect();
    match of {
        Type::Tuple(it) if it.elems.is_empty() => all(&["()"]),
        Type::Path(it) => {
            let Some(last) = it.path.segments.last() else { return Vec::new() };
            match last.ident.to_string().as_str() {
                "bool" => all(&["true", "false"]),
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => all(&["0", "1"]),
                "Option" => inner(last).map_or(Vec::new(), |it| wrapped("Some", "None", &it)),
                "Result" => inner(last).map_or(Vec::new(), |it| wrapped("Ok", "", &it)),
                "Ordering" => all(&["std::cmp::Ordering::Equal"]),
                _ => all(&["Default::default()"]),
            }
        }
        Type::Reference(_) | Type::ImplTrait(_) | Type::Never(_) => Vec::new(),
        _ => all(&["Default::default()"]),
    }
}

fn wrapped(with: &str, without: &str, inner: &Type) -> Vec<String> {
    let some = values(inner).into_iter().map(|it| format!("{with}({it})"));
    let none = Some(without.to_owned()).filter(|it| !it.is_empty());
    none.into_iter().chain(some).collect()
}

fn inner(segment: &syn::PathSegment) -> Option<Type> {
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(it) => Some(it.clone()),
        _ => None,
    }
}
