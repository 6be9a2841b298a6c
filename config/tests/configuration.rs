// SPDX-License-Identifier: Apache-2.0
//! Whole configurations: what loads, what is refused and how that reads, and what hostile text does.

#[cfg(test)]
#[path = "configuration/example.rs"]
mod example;
#[cfg(test)]
#[path = "configuration/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "configuration/load.rs"]
mod load;
#[cfg(test)]
#[path = "configuration/scene.rs"]
mod scene;
#[cfg(test)]
#[path = "configuration/tls.rs"]
mod tls;
#[cfg(test)]
#[path = "configuration/wrong.rs"]
mod wrong;
