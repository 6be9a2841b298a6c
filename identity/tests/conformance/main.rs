// SPDX-License-Identifier: Apache-2.0
//! The identity stage against the rows of the standards and of the threat table, through its public interface.

#[cfg(test)]
mod cache;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod jws;
#[cfg(test)]
mod jwt;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod mint;
#[cfg(test)]
mod mutations;
