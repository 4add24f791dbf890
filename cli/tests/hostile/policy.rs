//! Policies that are wrong end the program before it begins.

use crate::house::House;
use crate::workload::{deployment, list};

#[test]
fn a_wrong_policy_ends_the_run_before_anything_is_stored() {
    let head = "apiVersion: podledger/v1\nkind: Policy\n";
    let bomb = (1..=9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        format!("{text}a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "))
    });
    for (text, said) in [
        (format!("{head}rule: {{}}\n"), "did you mean \"rules\"?"),
        (format!("{head}rules: {{over-limits: {{}}}}\n"), "did you mean \"over-limit\"?"),
        (format!("{head}rules: {{bypass: {{}}}}\n"), "this version does not judge that rule"),
        (format!("{head}rules: {{over-limit: {{grace: 5}}}}\n"), "5"),
        (format!("{head}{bomb}"), "policy"),
        ("kind: Policy\nkind: Policy\n".to_owned(), "policy"),
        (String::new(), "policy"),
    ] {
        let house = House::new();
        house.write("dump/right.json", list([deployment("right", 3)]).to_string());
        house.write("policy.yaml", &text);
        let ended = house.up(&["--policy", "policy.yaml"]);
        assert_eq!(ended.code, Some(2), "{text}: {ended:?}");
        assert!(ended.err.contains("policy.yaml") && ended.err.contains(said), "{text}: {ended:?}");
        assert!(ended.out.is_empty(), "{ended:?}");
        // Right again, the same run does all of its work.
        assert_eq!(house.up(&[]).code, Some(0));
        assert_eq!(house.deployments(), ["right"]);
        house.assert_whole();
    }
}
