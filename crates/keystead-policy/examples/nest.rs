//! Temporary.
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: usize = a[2].parse().unwrap();
    let stage: usize = a[3].parse().unwrap();
    let (open, middle, close) = [("(", "true", ")"), ("[", "", "]"), ("!", "true", ""), ("-", "1", ""), ("1+", "1", ""), ("true&&", "true", ""), ("{a:", "1", "}"), ("if true then ", "1", " else 2"), ("context", "", ".a"),("(1+","1",")")][a[1].parse::<usize>().unwrap()];
    let t = if a[1] == "8" { format!("permit(principal,action,resource) when {{ context{} }};", ".a".repeat(n)) } else { format!("permit(principal,action,resource) when {{ {}{middle}{} }};", open.repeat(n), close.repeat(n)) };
    let h = std::thread::Builder::new().stack_size(2<<20).spawn(move || {
        let p = match cedar_policy::Policy::parse(None, &t) { Ok(p) => p, Err(e) => { println!("parse err {:.60}", e.to_string()); return; } };
        if stage < 1 { println!("parsed"); return; }
        match p.to_json() { Ok(j) => { println!("json {}", j.to_string().len()); }, Err(e) => println!("json err {:.60}", e.to_string()) }
        if stage < 2 { return; }
        let s = cedar_policy::Schema::from_cedarschema_str(keystead_policy::SCHEMA).unwrap().0;
        let v = cedar_policy::Validator::new(s);
        let set = cedar_policy::PolicySet::from_policies([p]).unwrap();
        let r = v.validate(&set, cedar_policy::ValidationMode::Strict);
        println!("validated {}", r.validation_errors().count());
    }).unwrap();
    h.join().unwrap();
}
