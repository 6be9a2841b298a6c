// SPDX-License-Identifier: Apache-2.0
//! The control loop against a modelled upstream: so many requests at once, each of a given time; more of them queue.

use super::*;

struct Model {
    servers: f64,
    service_us: f64,
    noise: f64,
    seed: u64,
}

impl Model {
    fn new(servers: f64, service_us: f64) -> Self {
        Self { servers, service_us, noise: 0.05, seed: 1 }
    }

    /// Latency and throughput with so many at once.
    fn window(&mut self, at_once: f64) -> (f64, f64) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = f64::from(u32::try_from(self.seed >> 33).unwrap()) / f64::from(u32::MAX >> 1);
        let latency = self.service_us * (at_once / self.servers).max(1.0);
        (latency * (1.0 + self.noise * (unit * 2.0 - 1.0)), at_once / latency)
    }

    fn peak(&self) -> f64 {
        self.servers / self.service_us
    }
}

/// Runs windows in which `offered` requests want to be under way; answers the throughputs and limits seen.
fn run(control: &mut Control, model: &mut Model, offered: f64, windows: usize) -> Vec<(f64, f64)> {
    (0..windows)
        .map(|_| {
            let limit = control.limit;
            let (mean_us, rate) = model.window(limit.min(offered));
            control.close(Window { mean_us, count: 100, failed: 0, reached: offered > limit });
            (rate, limit)
        })
        .collect()
}

#[test]
fn f33_goodput_stays_at_the_peak_and_the_queue_short_at_three_times_the_load() {
    for servers in [8.0, 40.0, 150.0] {
        let mut model = Model::new(servers, 20_000.0);
        let mut control = Control::new(LIMIT_INITIAL, 1_000);
        run(&mut control, &mut model, servers * 3.0, 25);
        for (rate, limit) in run(&mut control, &mut model, servers * 3.0, 2_000) {
            assert!(rate >= 0.9 * model.peak(), "{servers} servers: {rate} of {} at {limit}", model.peak());
            assert!(limit <= servers * 2.0 + 4.0, "{servers} servers: {limit} at once");
        }
    }
}

#[test]
fn f33_no_window_holds_traffic_back_to_measure() {
    let mut model = Model::new(40.0, 20_000.0);
    let mut control = Control::new(LIMIT_INITIAL, 1_000);
    run(&mut control, &mut model, 120.0, 50);
    let limits: Vec<f64> = run(&mut control, &mut model, 120.0, 3_000).into_iter().map(|(_, limit)| limit).collect();
    assert!(limits.iter().all(|limit| *limit >= 38.0), "{:?}", limits.iter().copied().fold(f64::MAX, f64::min));
}

#[test]
fn f33_an_upstream_that_became_slower_by_itself_is_not_throttled() {
    let mut model = Model::new(100.0, 10_000.0);
    let mut control = Control::new(LIMIT_INITIAL, 60);
    run(&mut control, &mut model, 200.0, 50);
    assert!(control.limit > 59.0);
    model.service_us = 40_000.0;
    run(&mut control, &mut model, 200.0, 30);
    for (_, limit) in run(&mut control, &mut model, 200.0, 500) {
        assert!(limit >= 45.0, "the time is the upstream's own: {limit}");
    }
}

#[test]
fn f33_an_upstream_that_lost_half_of_its_capacity_gets_fewer_at_once() {
    let mut model = Model::new(100.0, 10_000.0);
    let mut control = Control::new(LIMIT_INITIAL, 1_000);
    run(&mut control, &mut model, 400.0, 100);
    model.servers = 50.0;
    run(&mut control, &mut model, 400.0, 60);
    for (rate, limit) in run(&mut control, &mut model, 400.0, 300) {
        assert!(rate >= 0.9 * model.peak() && limit < 110.0, "{limit}");
    }
}

#[test]
fn f33_little_traffic_changes_nothing() {
    let mut model = Model::new(100.0, 10_000.0);
    let mut control = Control::new(LIMIT_INITIAL, 1_000);
    run(&mut control, &mut model, 5.0, 500);
    assert!((control.limit - 8.0).abs() < 0.1);
}

#[test]
fn f33_answers_that_fail_to_come_lower_the_limit_to_a_floor() {
    let mut control = Control::new(LIMIT_INITIAL, 1_000);
    for _ in 0..100 {
        control.close(Window { mean_us: 0.0, count: 1, failed: 10, reached: true });
    }
    assert_eq!(control.close(Window { mean_us: 1.0, count: 0, failed: 5, reached: false }), LIMIT_MIN);
}

#[test]
fn windows_close_with_enough_samples_or_after_long() {
    let adaptive = Adaptive::new(100);
    let took = Some(Duration::from_millis(5));
    assert!((0..19).all(|_| adaptive.sample(took, 300).is_none()));
    assert_eq!(adaptive.sample(took, 300), Some(8));
    adaptive.reached();
    assert!(adaptive.sample(took, 2_000).is_none());
    assert_eq!(adaptive.sample(took, 2_300), Some(16), "the limit was reached and nothing queued");
}
