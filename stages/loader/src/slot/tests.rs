use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn minutes() -> Interval {
    Interval::new(MINUTE).unwrap()
}

#[test]
fn a_slot_is_a_stretch_of_the_clock_and_closes_two_seconds_after_its_minute() {
    let published = at("2026-10-01T12:00:41Z");
    let slot = minutes().first_slot(published, published);
    assert_eq!(slot.begins_at(), at("2026-10-01T12:00:00Z"));
    assert_eq!(slot.next().begins_at(), at("2026-10-01T12:01:00Z"));
    for (now, closes_in) in [("12:00:41", 21), ("12:01:00", 2), ("12:01:02", 0), ("13:00:00", 0)] {
        assert_eq!(slot.closes_in(at(&format!("2026-10-01T{now}Z"))), Duration::from_secs(closes_in), "{now}");
    }
}

#[test]
fn a_message_that_comes_again_finds_its_slot_and_an_old_one_a_slot_of_late() {
    let published = at("2026-10-01T12:00:41Z");
    let begins = |now| minutes().first_slot(published, at(now)).begins_at();
    assert_eq!(begins("2026-10-01T12:02:59Z"), at("2026-10-01T12:00:00Z"));
    assert_eq!(begins("2026-10-01T12:03:00Z"), at("2026-10-01T12:01:00Z"));
    assert_eq!(begins("2026-10-02T00:00:00Z"), at("2026-10-01T23:58:00Z"));
    // A clock that stands still or is behind: the message knows better.
    assert_eq!(begins("2020-01-01T00:00:00Z"), at("2026-10-01T12:00:00Z"));
}

#[test]
fn plans_differ_by_table_slot_and_interval_and_by_nothing_else() {
    let slot = |seconds, text| Interval::new(Duration::from_secs(seconds)).unwrap().first_slot(at(text), at(text));
    let plan = slot(60, "2026-10-01T12:00:00Z").plan_id(Table::GkePods);
    assert_eq!(plan, slot(60, "2026-10-01T12:00:59Z").plan_id(Table::GkePods));
    for other in [
        slot(60, "2026-10-01T12:00:00Z").plan_id(Table::GkeNodes),
        slot(60, "2026-10-01T12:01:00Z").plan_id(Table::GkePods),
        slot(61, "2026-10-01T12:00:00Z").plan_id(Table::GkePods),
    ] {
        assert_ne!(plan, other);
    }
}

#[test]
fn below_a_microsecond_there_are_no_slots() {
    assert_eq!(Interval::new(Duration::ZERO), None);
    assert_eq!(Interval::new(Duration::from_nanos(999)), None);
    assert!(Interval::new(Duration::MAX).is_some());
}

proptest! {
    #[test]
    fn whatever_the_clocks_say_nobody_waits_longer_than_a_slot(
        length in 1..=i64::MAX, published in any::<i64>(), now in any::<i64>(), ahead in 0..9,
    ) {
        let interval = Interval { micros: length };
        let (published, now) = (Timestamp::from_micros(published), Timestamp::from_micros(now));
        let slot = (0..ahead).fold(interval.first_slot(published, now), |slot, _| slot.next());
        let longest = u128::from(length.unsigned_abs()) * 31 / 30 + 1;
        prop_assert!(slot.closes_in(now).as_micros() <= longest);
    }

    #[test]
    fn a_message_of_now_waits_for_a_slot_that_has_not_closed(length in 1..=4_000_000_000i64, now in 0..=4_000_000_000_000_000i64) {
        let interval = Interval { micros: length };
        let now = Timestamp::from_micros(now);
        let slot = interval.first_slot(now, now);
        prop_assert!(slot.begins_at() <= now && now < slot.next().begins_at());
        prop_assert!(slot.closes_in(now) > Duration::ZERO);
    }
}
