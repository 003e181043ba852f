//! How files are read.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::yaml::problem::Problems;
use crate::yaml::*;

fn one(text: &str) -> Node {
    let mut documents = load(text, "f.yml", &mut Problems::new()).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn json(text: &str) -> String {
    serde_json::to_string(&one(text)).unwrap()
}

fn error(text: &str) -> String {
    load(text, "f.yml", &mut Problems::new())
        .unwrap_err()
        .to_string()
}

#[test]
fn every_value_has_its_place() {
    let node = one("a:\n  b: [1, two]\n");
    let list = node.get("a").unwrap().get("b").unwrap();
    assert_eq!(list.mark.to_string(), "f.yml:2:6");
    assert_eq!(list.as_seq().unwrap()[1].mark.to_string(), "f.yml:2:10");
    assert_eq!(node.as_map().unwrap().entry("a").unwrap().key.line, 1);
}

#[test]
fn an_anchor_may_be_defined_again() {
    assert_eq!(
        json("a: &x 1\nb: *x\nc: &x 2\nd: *x\n"),
        r#"{"a":1,"b":1,"c":2,"d":2}"#
    );
}

#[test]
fn merged_keys_give_way_to_own_ones_and_earlier_merges_to_none() {
    let text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  a: 0\n  <<: [*x, *y]\n";
    assert_eq!(
        serde_json::to_string(one(text).get("z").unwrap()).unwrap(),
        r#"{"a":0,"b":1,"c":2}"#
    );
    assert_eq!(json("\"<<\": 1\n"), r#"{"<<":1}"#);
    assert_eq!(
        error("a:\n  <<: 1\n"),
        "f.yml:2:7: `<<` takes a map or a list of maps, not an integer\n  hint: write `<<: *anchor`"
    );
}

#[test]
fn tags_of_others_are_kept() {
    let node = one("a: !reference [b, c]\n");
    assert_eq!(node.get("a").unwrap().tag.as_deref(), Some("!reference"));
    assert_eq!(json("[!!str 1, !!int \"2\", ! 3]"), r#"["1",2,"3"]"#);
}

#[test]
fn schemas_differ_in_what_is_a_word() {
    let text = "[yes, off, 012, 0o12, 1_000, 1e3, 1.10, +1, 0x1F, ~, 08, 1.2.3, -a, v1]";
    assert_eq!(
        json(text),
        r#"["yes","off",12,10,"1_000",1000.0,1.1,1,31,null,8,"1.2.3","-a","v1"]"#
    );
    let psych = Loader::default().schema(Schema::Psych);
    assert_eq!(
        serde_json::to_string(&psych.load(text, "f", &mut Problems::new()).unwrap()[0]).unwrap(),
        r#"[true,false,10,10,1000,1000.0,1.1,1,31,null,"08","1.2.3","-a","v1"]"#
    );
}

#[test]
fn several_documents_have_their_own_anchors() {
    assert_eq!(
        load("a: 1\n---\nb: 2\n", "f", &mut Problems::new())
            .unwrap()
            .len(),
        2
    );
    assert!(error("a: &x 1\n---\nb: *x\n").starts_with("f.yml:3:4: not YAML"));
}

#[test]
fn a_few_lines_cannot_stand_for_millions_of_values() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 10].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{aliases}]");
    }
    assert!(error(&text).contains("more than 1000000 values"));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(error(&deep).contains("nest deeper than 128"));
    assert!(error("a: &a [*a]").contains("within its own value"));
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let mut problems = Problems::new();
    let nodes = load("a: 1\nb: 2\na: 3\n", "f.yml", &mut problems).unwrap();
    assert_eq!(nodes[0].get("a").unwrap().as_int(), Some(3));
    assert_eq!(
        problems.finish().unwrap()[0].to_string(),
        "f.yml:3:1: warning: the key `a` stands in line 1 too; this one counts"
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}|[-:&*<!\\[\\]{}, \\n#|>'\"a0]{0,40}") {
        let _ = load(&text, "f.yml", &mut Problems::new());
        let _ = Loader::default().schema(Schema::Psych).load(&text, "f.yml", &mut Problems::new());
    }
}
