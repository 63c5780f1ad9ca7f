//! A way to one viewer that the network closes: the others go on, and runs with them. In a network namespace of its own (root).

mod leg;

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use leg::{metric, Lesson};

/// Set inside of the namespace.
const INSIDE: &str = "JIANGTAI_TEST_INSIDE";

fn ip(words: &str) {
    assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success(), "ip {words}");
}

#[test]
fn a_viewer_whose_way_is_closed_costs_the_others_nothing_and_is_served_again_when_it_opens() {
    if std::env::var_os(INSIDE).is_none() {
        let here = std::env::current_exe().unwrap();
        let able = Command::new("unshare").args(["--net", "true"]).status().is_ok_and(|status| status.success());
        if !able {
            let root = std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0);
            assert!(!root, "root can make a network namespace: this test must not be skipped");
            return eprintln!("not run: a network namespace cannot be made here");
        }
        let inside = Command::new("unshare").arg("--net").arg(here).arg("--nocapture").env(INSIDE, "1").status().unwrap();
        assert!(inside.success());
        return;
    }
    ip("link set lo up");
    // EACCES, EHOSTUNREACH, EINVAL.
    for closed in ["prohibit", "unreachable", "blackhole"] {
        let mut lesson = Lesson::new(&["127.0.0.2", "127.0.0.3"]);
        lesson.say(&[0, 1], 20);
        ip(&format!("route add {closed} 127.0.0.3 table local"));
        lesson.say(&[0], 200);
        let heard = lesson.listeners[1].client.rtp.len();
        let errors = metric(&lesson.engine, "send_errors");
        assert!(errors >= 190, "{closed}: {errors} errors");
        assert!(lesson.heard_all(0), "{closed}: not one word is missing");
        ip("route del 127.0.0.3 table local");
        lesson.say(&[0, 1], 50);
        assert!(lesson.listeners[1].client.rtp.len() >= heard + 50);
        assert_eq!((metric(&lesson.engine, "peers"), metric(&lesson.engine, "panics")), (3, 0));
        assert!(lesson.heard_all(0));
    }
}
