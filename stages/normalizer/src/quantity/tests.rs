use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_suffix_means_what_kubernetes_says() {
    let cases = [
        ("1n", 1, 1),
        ("1u", 1, 1),
        ("1m", 1, 1),
        ("1500m", 2, 1500),
        ("500m", 1, 500),
        ("0", 0, 0),
        ("-0", 0, 0),
        ("1", 1, 1000),
        ("1k", 1000, 1_000_000),
        ("1M", 1_000_000, 1_000_000_000),
        ("4G", 4_000_000_000, 4_000_000_000_000),
        ("1T", 1_000_000_000_000, 1_000_000_000_000_000),
        ("1P", 1_000_000_000_000_000, 1_000_000_000_000_000_000),
        ("1Ki", 1024, 1_024_000),
        ("1Mi", 1 << 20, (1 << 20) * 1000),
        ("4Gi", 4 << 30, (4 << 30) * 1000),
        ("1Ti", 1 << 40, (1 << 40) * 1000),
        ("1Pi", 1 << 50, (1 << 50) * 1000),
        ("1e3", 1000, 1_000_000),
        ("1E3", 1000, 1_000_000),
        ("1e+3", 1000, 1_000_000),
        ("1.5e-3", 1, 2),
        ("1.5", 2, 1500),
        ("1.5Ki", 1536, 1_536_000),
        ("0.1", 1, 100),
        (".5", 1, 500),
        ("5.", 5, 5000),
        ("+5", 5, 5000),
        ("-1.5", -2, -1500),
        ("-100m", -1, -100),
        ("0.0001", 1, 1),
        ("0.00000000000000000000000000000000000000000000000000000000001", 1, 1),
        ("1e-64", 1, 1),
        ("0e64", 0, 0),
        ("128974848", 128_974_848, 128_974_848_000),
        ("129e6", 129_000_000, 129_000_000_000),
        ("123Mi", 128_974_848, 128_974_848_000),
    ];
    for (text, value, millis) in cases {
        assert_eq!(parse(text).value(), Ok(value), "{text}");
        assert_eq!(parse(text).milli_value(), Ok(millis), "{text} in thousandths");
    }
    assert_eq!(parse("1E").value(), Ok(1_000_000_000_000_000_000), "a lone E is exa");
    assert_eq!(parse("7Ei").value(), Ok(7 << 60));
    assert_eq!(parse("9223372036854775807").value(), Ok(i64::MAX));
    assert_eq!(parse("-9223372036854775808").value(), Ok(i64::MIN));
}

#[test]
fn what_is_no_quantity_is_refused() {
    use QuantityError::{NotAQuantity, OutOfRange, TooLong};
    for text in [
        "", "-", ".", "m", "Gi", "1.2.3", "1 Gi", " 1", "1gi", "1K", "1mm", "1e", "1e+", "1e1.5", "0x10", "NaN", "1Zi",
        "１",
    ] {
        assert_eq!(Quantity::parse(text), Err(NotAQuantity), "{text:?}");
    }
    assert_eq!(Quantity::parse(&"9".repeat(10_000)), Err(TooLong));
    assert_eq!(Quantity::parse(&format!("1e{}", "9".repeat(10_000))), Err(TooLong));
    for text in ["1e99", "1e99999999999", &"9".repeat(60)] {
        assert_eq!(Quantity::parse(text), Err(OutOfRange), "{text}");
    }
    for text in ["9223372036854775808", "8Ei", "10E", "1e19", "-9223372036854775809"] {
        assert_eq!(parse(text).value(), Err(OutOfRange), "{text}");
    }
    assert_eq!(parse("1e60").milli_value(), Err(OutOfRange));
}

#[test]
fn equal_amounts_are_equal_however_written() {
    for (a, b) in [("1000m", "1"), ("1Ki", "1024"), ("1.50", "1500m"), ("1e3", "1k"), ("0.5Gi", "512Mi"), ("-0", "0")] {
        assert_eq!(parse(a), parse(b), "{a} {b}");
    }
}

#[test]
fn sums_are_exact_and_rounded_once() {
    let third = parse("333u");
    let sum = third.checked_add(third).and_then(|sum| sum.checked_add(third)).unwrap();
    assert_eq!(sum.milli_value(), Ok(1), "0.999 rounds to 1, not 3 times 1");
    assert_eq!(parse("1").checked_add(parse("-1")), Ok(Quantity::ZERO));
    assert_eq!(parse("1").checked_add(parse("-1500m")).unwrap(), parse("-500m"));
    assert_eq!(parse("1e60").checked_add(parse("1n")), Err(QuantityError::OutOfRange));
}

proptest! {
    #[test]
    fn a_printed_quantity_reads_back(negative: bool, mantissa in 0..10_u128.pow(30), exponent in -30_i32..=30) {
        let quantity = Quantity::exact(negative, mantissa, exponent).unwrap();
        prop_assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
    }

    #[test]
    fn order_is_that_of_the_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, power in 0_u32..6) {
        let shifted = |n: i64| parse(&format!("{n}e-{power}"));
        prop_assert_eq!(shifted(a).cmp(&shifted(b)), a.cmp(&b));
        let whole = parse(&b.to_string());
        prop_assert_eq!(shifted(a).cmp(&whole), (i128::from(a)).cmp(&(i128::from(b) * 10_i128.pow(power))));
    }

    #[test]
    fn rounding_is_away_from_zero_and_by_less_than_one(a in -1_000_000_000_i64..1_000_000_000, power in 0_u32..9) {
        let scale = 10_i64.pow(power);
        let value = parse(&format!("{a}e-{power}")).value().unwrap();
        prop_assert!((value * scale).abs() >= a.abs() && (value * scale).abs() - a.abs() < scale);
        prop_assert!(value == 0 || value.signum() == a.signum());
    }

    #[test]
    fn adding_is_that_of_the_numbers(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
        let sum = parse(&format!("{a}m")).checked_add(parse(&format!("{b}m"))).unwrap();
        prop_assert_eq!(sum.milli_value(), Ok(a + b));
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}") {
        if let Ok(quantity) = Quantity::parse(&text) {
            prop_assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
        }
    }
}
