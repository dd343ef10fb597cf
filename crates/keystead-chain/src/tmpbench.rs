//! temp
use std::time::Instant;
use crate::fixture::*;
use crate::call::tests::corpus;
#[test]
fn tmp() {
    let reg = registry();
    for (to, data) in corpus::calls() {
        let a = call_action(to, 0, &data);
        let n = 2000u32;
        let t = Instant::now();
        for _ in 0..n { std::hint::black_box(crate::build(&a, US).unwrap()); }
        let b = t.elapsed() / n;
        let u = crate::build(&a, US).unwrap();
        let t = Instant::now();
        for _ in 0..n { std::hint::black_box(crate::explain(&u, &reg)); }
        println!("{:?} {} bytes build {:?} explain {:?}", to, data.len(), b, t.elapsed() / n);
    }
    let j = crate::typed_data::tests_known::eip2612(USDC).to_string();
    let t = Instant::now();
    for _ in 0..2000 { std::hint::black_box(crate::typed_data::Document::parse(&j).unwrap()); }
    println!("typed {:?}", t.elapsed() / 2000);
    let big = format!(r#"{{"types":{{"A":[{{"name":"x","type":"B[]"}}],"B":[]}},"primaryType":"A","domain":{{}},"message":{{"x":[{}]}}}}"#, vec!["{}"; 80000].join(","));
    let t = Instant::now();
    crate::typed_data::Document::parse(&big).unwrap();
    println!("big {} {:?}", big.len(), t.elapsed());
}
