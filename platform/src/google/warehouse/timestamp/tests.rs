use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MOMENT: i64 = 1_767_323_045_123_459;

fn micros(cell: Value) -> i64 {
    read(&cell).unwrap_or_else(|error| panic!("{cell}: {error:#}")).micros()
}

#[test]
fn every_written_form_of_a_moment_is_that_moment() {
    for cell in [
        json!("1767323045123459"),
        json!(MOMENT),
        json!("1767323045.123459"),
        json!("1.767323045123459E9"),
        json!("1.767323045123459e+9"),
        json!("1767323045123459E-6"),
        json!("0.001767323045123459E12"),
        json!(1_767_323_045.123_459),
        json!("2026-01-02 03:04:05.123459 UTC"),
        json!("2026-01-02 03:04:05.123459+00:00"),
        json!("2026-01-02 03:04:05.123459+00"),
        json!("2026-01-02T03:04:05.123459Z"),
        json!("2026-01-02T05:04:05.123459+02:00"),
        json!("2026-01-02 03:04:05.123459"),
        json!(" 1767323045.123459 "),
    ] {
        assert_eq!(micros(cell.clone()), MOMENT, "{cell}");
    }
}

#[test]
fn whole_seconds_have_a_point_or_an_exponent_and_microseconds_have_neither() {
    assert_eq!(micros(json!("1767225600.0")), 1_767_225_600_000_000);
    assert_eq!(micros(json!("1.7672256E9")), 1_767_225_600_000_000);
    assert_eq!(micros(json!(1_767_225_600.0)), 1_767_225_600_000_000);
    assert_eq!(micros(json!("1767225600")), 1_767_225_600);
    assert_eq!(micros(json!("0")), 0);
    assert_eq!(micros(json!("0.0")), 0);
}

#[test]
fn moments_before_the_epoch_and_at_the_ends_of_time_are_read() {
    assert_eq!(micros(json!("-0.000001")), -1);
    assert_eq!(micros(json!("-1.5E0")), -1_500_000);
    assert_eq!(micros(json!("-62135596800000000")), Timestamp::MIN.micros());
    assert_eq!(micros(json!("-6.21355968E10")), Timestamp::MIN.micros());
    assert_eq!(micros(json!("253402207200.000000")), Timestamp::MAX.micros());
    assert_eq!(micros(json!("0001-01-01 00:00:00 UTC")), Timestamp::MIN.micros());
}

#[test]
fn what_is_below_a_microsecond_is_rounded() {
    assert_eq!(micros(json!("1767323045.1234591")), MOMENT);
    assert_eq!(micros(json!("1767323045.1234589")), MOMENT);
    assert_eq!(micros(json!("1.7673230451234589E9")), MOMENT, "a float written with all its digits");
    assert_eq!(micros(json!("0.0000005")), 1);
    assert_eq!(micros(json!("-0.0000005")), -1);
    assert_eq!(micros(json!("1E-30")), 0);
}

#[test]
fn what_is_no_time_is_refused_and_named() {
    let long = "9".repeat(10_000);
    for cell in [
        json!(""),
        json!(" "),
        json!("yesterday"),
        json!("."),
        json!("-"),
        json!("e9"),
        json!("1e"),
        json!("1.2.3"),
        json!("--1"),
        json!("1e999999999999"),
        json!("1E31"),
        json!("9e18"),
        json!(f64::MAX),
        json!(u64::MAX),
        json!(i64::MAX),
        json!(long),
        json!("9".repeat(37)),
        json!(null),
        json!(true),
        json!(["1"]),
        json!("２０２６"),
        json!("253402300800.0"),
    ] {
        let error = read(&cell).expect_err(&cell.to_string());
        assert!(error.to_string().contains("not a time"), "{error}");
    }
}

proptest! {
    #[test]
    fn a_moment_in_decimal_and_scientific_text_is_that_moment(
        micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(),
    ) {
        let (seconds, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
        let sign = if micros < 0 { "-" } else { "" };
        for text in [
            format!("{sign}{seconds}.{fraction:06}"),
            format!("{sign}{}E-6", micros.unsigned_abs()),
            micros.to_string(),
            Timestamp::from_micros(micros).to_string(),
        ] {
            prop_assert_eq!(read(&json!(text)).unwrap().micros(), micros);
        }
    }

    // Up to 2^33 seconds, in the year 2242, two floats are less than a microsecond apart.
    #[test]
    fn a_moment_as_a_float_is_that_moment(micros in -8_589_934_592_000_000_i64..8_589_934_592_000_000) {
        let seconds = micros as f64 / 1e6;
        prop_assert_eq!(read(&json!(seconds)).unwrap().micros(), micros);
        prop_assert_eq!(read(&json!(format!("{seconds:E}"))).unwrap().micros(), micros);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}") {
        if let Ok(moment) = read(&Value::String(text)) {
            prop_assert!(moment >= Timestamp::MIN && moment <= Timestamp::MAX);
        }
    }
}
