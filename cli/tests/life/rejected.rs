// SPDX-License-Identifier: Apache-2.0
//! Configurations that are broken in every way: what is served is the last good one, or the new one where it is valid.

use crate::gate::command;
use crate::reload::hang_up;
use crate::scene::{Scene, metric, replace, revision};

/// Mutations in CI; `PORTCULLIS_MUTATIONS=500` is the whole promise.
const MUTATIONS_USUAL: u64 = 60;

/// What stands where something else stood.
const NOISE: &[u8] = b" :{}[]-#'\"\0\xffaz09/&*";

/// A small generator: the same mutations every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap()).unwrap()
    }
}

/// Changes a few bytes or lines, as an editor, a bad merge or a full disk would.
fn mutate(text: &str, dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<&str> = text.lines().collect();
    let at = dice.roll(lines.len());
    match dice.roll(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[dice.roll(lines.len())]),
        2 => lines.truncate(at),
        3 => lines.swap(at, dice.roll(text.lines().count())),
        _ => {}
    }
    let mut bytes = lines.join("\n").into_bytes();
    bytes.push(b'\n');
    for _ in 0..dice.roll(3) {
        let at = dice.roll(bytes.len());
        bytes[at] = NOISE[dice.roll(NOISE.len())];
    }
    bytes
}

#[test]
fn f02_a_mutated_configuration_is_served_only_where_it_is_valid() {
    let rounds = std::env::var("PORTCULLIS_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(MUTATIONS_USUAL);
    let scene = Scene::new();
    let gate = scene.start(&[]);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut taken, mut refused) = (0_u64, 0_u64);
    let mut in_force = revision(&gate);
    for round in 0..rounds {
        let mutated = mutate(&scene.text(|text| text), &mut dice);
        replace(&scene.file("portcullis.yaml"), &mutated);
        hang_up(&gate);
        let accepted = metric(&gate, "portcullis_config_reloads_total") > taken;
        let text = String::from_utf8_lossy(&mutated);
        if accepted {
            taken += 1;
            in_force = revision(&gate);
            let check = command(scene.directory(), &["check", "-c", "portcullis.yaml"]);
            assert_ne!(check.status.code(), Some(3), "round {round}: served and not usable:\n{text}");
        } else {
            refused += 1;
            assert_eq!(metric(&gate, "portcullis_config_rejected_total"), refused, "round {round}");
            assert_eq!(revision(&gate), in_force, "round {round}: refused and yet in force:\n{text}");
        }
        assert_ne!(gate.send(&crate::client::Request::get("/notes/n-1")).status, 200, "round {round}: open:\n{text}");
    }
    assert!(refused > rounds / 4, "only {refused} of {rounds} were refused: not much of a mutation");
    scene.configure(|text| text);
    hang_up(&gate);
    assert_eq!(gate.send(&scene.note("n-1")).status, 200, "the good one works again");
    println!("{rounds} mutations: {refused} refused, {taken} valid");
}
