//! What expressions hold.

use proptest::prelude::*;

use super::*;

fn variable(name: &str) -> Option<String> {
    match name {
        "SET" => Some("a/b-1".to_owned()),
        "EMPTY" => Some(String::new()),
        "PATTERN" => Some("/^A/i".to_owned()),
        "NESTED" => Some("$SET".to_owned()),
        _ => None,
    }
}

#[track_caller]
fn check(text: &str, expected: bool) {
    assert_eq!(
        Expression::parse(text).unwrap().holds(variable),
        expected,
        "{text}"
    );
}

#[track_caller]
fn bad(text: &str, message: &str) {
    let error = Expression::parse(text).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("invalid expression syntax: {message}")
    );
}

#[test]
fn variables_are_true_where_they_have_a_value() {
    check("$SET", true);
    check("$EMPTY", false);
    check("$UNSET", false);
    check("$UNSET == null", true);
    check("$EMPTY == null", false);
    check("null == $UNSET", true);
}

#[test]
fn empty_text_is_true_between_operators() {
    check("$EMPTY && $SET", true);
    check("$EMPTY || $SET", false);
    check("$SET && $EMPTY", false);
}

#[test]
fn and_binds_tighter_than_or() {
    check("$SET || $SET && $UNSET", true);
    check("($SET || $SET) && $UNSET", false);
    check("$UNSET && $SET || $SET", true);
    check("$SET == \"a/b-1\" && $UNSET == null || $UNSET", true);
}

#[test]
fn patterns_match_anywhere_and_know_flags() {
    check("$SET =~ /B-\\d$/i", true);
    check("$SET =~ /^a\\/b/", true);
    check("$SET =~ $PATTERN", true);
    check("$UNSET =~ /.*/", false);
    check("$UNSET !~ /.*/", true);
    check("$EMPTY =~ /^$/", true);
    check("$SET =~ /a{x/", false);
    check("$SET =~ /[[b]-/", true);
    check("$SET =~ /[[:alpha:]&&]-/", true);
}

#[test]
fn the_right_side_that_is_no_pattern_has_to_contain_the_left() {
    check("\"b-1\" =~ $SET", true);
    check("$SET =~ \"b-1\"", false);
    check("\"$SET\" =~ $NESTED", true);
}

#[test]
fn what_is_no_expression_is_refused_with_a_reason() {
    bad("", "it is empty");
    bad("$A ==", "`==` has nothing on its right");
    bad("== $A", "`==` has nothing on its left");
    bad("$A $B", "an operator is missing");
    bad("($A", "`(` is not closed");
    bad("$A)", "`)` closes nothing");
    bad("${A} == 1", "`${A} == 1` cannot stand here");
    bad("$A =~ /a/", "`/a/` cannot stand here");
    bad(
        "$A =~ /(ab/",
        "`/(ab/` is no pattern: error: unclosed group",
    );
    assert_eq!(Expression::parse("$A == 1").unwrap_err().at(), 6);
}

#[test]
fn ten_thousand_parentheses_are_no_trouble() {
    let text = format!("{}$SET{}", "(".repeat(10_000), ")".repeat(10_000));
    check(&text, true);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[$\"'/()=!~&|A-Z null\\\\{}\\[\\]^*é]{0,40}") {
        if let Ok(expression) = Expression::parse(&text) {
            expression.holds(variable);
        }
    }
}
