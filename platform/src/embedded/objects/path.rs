//! Keys as paths, and back.
//!
//! Every segment is a name on disk: lower-case letters, digits and `- _ . = + , @ ~` as they are,
//! every other byte as `%xx`. So names never differ by case or Unicode form alone, and nothing in
//! a key can mean something to the file system. A name ends in a mark where it would not be clear
//! otherwise what it is, so that objects `a` and `a/b` can both exist:
//!
//! | name | object | folder |
//! |---|---|---|
//! | with a dot, `pods-0.ndjson.gz` | as it is | `…%d` |
//! | without, `prod-uk` | `…%f` | as it is |
//!
//! A segment that gets too long for a file name is split over nested folders ending in `%c`.

use std::path::{Path, PathBuf};

use crate::ports::key::{MAX_KEY_BYTES, check, is_segment};

/// Longest piece of an encoded segment; with its mark it stays under the usual limit of 255.
const MAX_NAME_BYTES: usize = 200;
const OBJECT_MARK: &str = "%f";
const FOLDER_MARK: &str = "%d";
const CONTINUED_MARK: &str = "%c";

/// What a name on disk stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'n> {
    /// An object, whose segment ends with this text.
    Object(&'n str),
    /// A folder of that segment's end.
    Folder(&'n str),
    /// A folder whose segment goes on below.
    Continued(&'n str),
}

/// Where an object lies, from the store's folder.
pub(super) fn of_object(key: &str) -> PathBuf {
    match key.rsplit_once('/') {
        None => with_last(PathBuf::new(), key, OBJECT_MARK, |dotted| dotted),
        Some((folders, last)) => with_last(of_folders(folders), last, OBJECT_MARK, |dotted| dotted),
    }
}

/// Where the objects lie whose keys start with whole segments; none where no key can.
pub(super) fn of_prefix(folders: &str) -> Option<PathBuf> {
    let possible = folders.len() <= MAX_KEY_BYTES && folders.split('/').all(is_segment);
    possible.then(|| of_folders(folders))
}

fn of_folders(folders: &str) -> PathBuf {
    folders.split('/').fold(PathBuf::new(), |path, segment| with_last(path, segment, FOLDER_MARK, |dotted| !dotted))
}

/// Adds a segment; `plain` says whether it goes without mark, by whether it has a dot.
fn with_last(mut path: PathBuf, segment: &str, mark: &str, plain: fn(bool) -> bool) -> PathBuf {
    let mut encoded = encode(segment);
    if encoded.len() > MAX_NAME_BYTES {
        // No piece may be "." or "..", or begin like the store's own folders.
        encoded = encoded.replace('.', "%2e");
    }
    let mut rest = encoded.as_str();
    while rest.len() > MAX_NAME_BYTES {
        let (piece, after) = rest.split_at(MAX_NAME_BYTES); // ASCII: any place is a boundary
        path.push(format!("{piece}{CONTINUED_MARK}"));
        rest = after;
    }
    let mark = if plain(rest.contains('.')) { "" } else { mark };
    path.push(format!("{rest}{mark}"));
    path
}

fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for (index, byte) in segment.bytes().enumerate() {
        match byte {
            // A leading dot is for the store's own folders.
            b'.' if index == 0 => encoded.push_str("%2e"),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'=' | b'+' | b',' | b'@' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02x}")),
        }
    }
    encoded
}

/// What a name on disk stands for; none for what the store did not write.
pub(super) fn read_name(name: &str, is_folder: bool) -> Option<Name<'_>> {
    if let Some(piece) = name.strip_suffix(CONTINUED_MARK) {
        return is_folder.then_some(Name::Continued(piece));
    }
    if is_folder {
        return Some(Name::Folder(name.strip_suffix(FOLDER_MARK).unwrap_or(name)));
    }
    Some(Name::Object(name.strip_suffix(OBJECT_MARK).unwrap_or(name)))
}

/// A segment back from its pieces; none for what the store did not write.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(hex::decode(digits).ok()?.first().copied()?);
            after
        } else {
            bytes.push(*first);
            after
        };
    }
    String::from_utf8(bytes).ok()
}

/// Whether a path is the one its key leads to: what somebody else put there is not.
pub(super) fn is_canonical(key: &str, path: &Path) -> bool {
    check(key).is_ok() && of_object(key) == path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(path: &Path) -> String {
        let names: Vec<&str> = path.iter().map(|name| name.to_str().unwrap()).collect();
        let (mut key, mut encoded) = (Vec::new(), String::new());
        for (index, name) in names.iter().enumerate() {
            match read_name(name, index + 1 < names.len()).unwrap() {
                Name::Continued(piece) => encoded.push_str(piece),
                Name::Folder(piece) | Name::Object(piece) => {
                    encoded.push_str(piece);
                    key.push(decode(&std::mem::take(&mut encoded)).unwrap());
                }
            }
        }
        key.join("/")
    }

    #[test]
    fn usual_keys_look_like_themselves_on_disk() {
        let usual = "raw/prod-uk/2026-10-01/s1/1/pods-0.ndjson.gz";
        assert_eq!(of_object(usual), Path::new(usual));
        assert_eq!(of_object("a.b/c"), Path::new("a.b%d/c%f"));
        assert_eq!(of_object("A"), Path::new("%41%f"));
        assert_eq!(of_object(".staging/x.y"), Path::new("%2estaging/x.y"));
    }

    proptest! {
        #[test]
        fn every_key_leads_to_a_path_of_its_own_and_back(key in "([ -~üΩ猫.]{1,260}/){0,3}[ -~ü.]{1,260}") {
            prop_assume!(check(&key).is_ok());
            let path = of_object(&key);
            prop_assert_eq!(back(&path), key.clone());
            prop_assert!(is_canonical(&key, &path));
            for name in path.iter() {
                prop_assert!(name.len() <= 255 && !name.to_str().unwrap().starts_with('.'));
            }
        }
    }
}
