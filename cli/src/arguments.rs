// SPDX-License-Identifier: Apache-2.0
//! The command line, as the command line contract spells it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration file used when none is named.
pub(crate) const CONFIG_DEFAULT: &str = "portcullis.yaml";

/// How long a gateway goes on serving after a SIGTERM unless told otherwise.
const GRACE_DEFAULT: Duration = Duration::from_millis(500);

/// An API security gateway: every request proves who it is, what it may touch and how hard it may push.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about, disable_help_subcommand = true, max_term_width = 110)]
pub(crate) struct Arguments {
    /// How results are printed on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// When to colour (output is plain; accepted so that scripts may set it).
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON document with a `schema` member; it only grows.
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// As the terminal and `NO_COLOR` say.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve.
    Run(RunOptions),
    /// Parse, build and audit everything offline; findings with source spans.
    Check(CheckOptions),
    /// One decision, from the signed trail.
    Explain(ExplainOptions),
    /// The signed trail itself.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Make keys.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// What a reason code means, what the client saw, likely causes, the fix.
    Reason(ReasonOptions),
    /// What a rule of `check` means and how to satisfy it.
    Rule(RuleOptions),
    /// Print the version.
    Version,
    /// Print a completion script for a shell.
    Completions(CompletionsOptions),
}

/// `run`
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["openapi", "demo"])]
    pub(crate) config: Option<PathBuf>,
    /// A small orders API, two users, a token issuer and the gate; writes only under ./portcullis-demo.
    #[arg(long, conflicts_with = "openapi")]
    pub(crate) demo: bool,
    /// Load the configuration again whenever one of its files changes (a SIGHUP always does).
    #[arg(long)]
    pub(crate) watch: bool,
    /// Take the place of the gateway that runs over the same data, without a refused connection.
    #[arg(long, conflicts_with_all = ["openapi", "demo"])]
    pub(crate) take_over: bool,
    /// Seconds to go on serving after a SIGTERM, not ready any more, so that a balancer sends clients elsewhere
    /// (default: half a second).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=300))]
    pub(crate) grace: Option<u64>,
    /// Serve this document without a configuration file.
    #[arg(long, value_name = "FILE", requires_all = ["upstream", "issuer", "audience"])]
    pub(crate) openapi: Option<PathBuf>,
    /// Upstream of `--openapi`.
    #[arg(long, value_name = "URL", requires = "openapi")]
    pub(crate) upstream: Option<String>,
    /// Token issuer of `--openapi`.
    #[arg(long, value_name = "URL", requires = "openapi")]
    pub(crate) issuer: Option<String>,
    /// Audience tokens must name.
    #[arg(long, value_name = "AUDIENCE", requires = "openapi")]
    pub(crate) audience: Option<String>,
    /// Key set of the issuer, instead of discovery.
    #[arg(long, value_name = "URL", requires = "openapi")]
    pub(crate) jwks: Option<String>,
    /// Address to listen on (with `--openapi` or `--demo`).
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the admin listener (with `--openapi` or `--demo`).
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    pub(crate) admin: Option<SocketAddr>,
}

impl RunOptions {
    /// How long to go on serving after a SIGTERM.
    pub(crate) fn grace(&self) -> Duration {
        self.grace.map_or(GRACE_DEFAULT, Duration::from_secs)
    }
}

/// `check`
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// Configuration file.
    #[arg(short, long, value_name = "FILE", conflicts_with = "openapi")]
    pub(crate) config: Option<PathBuf>,
    /// Check a document alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) openapi: Option<PathBuf>,
    /// Exit 4 when a finding weighs at least this much.
    #[arg(long, value_enum, default_value_t = FailOn::High)]
    pub(crate) fail_on: FailOn,
    /// Leave out findings of rules above this assurance level; what refuses the configuration is always told.
    #[arg(long, value_enum, default_value_t = AssuranceLevel::L2)]
    pub(crate) level: AssuranceLevel,
}

/// Assurance levels of rules (ASVS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AssuranceLevel {
    /// What holds everywhere.
    L1,
    /// What most APIs need.
    L2,
    /// What the most valuable need.
    L3,
}

/// Weights of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Anything.
    Info,
    /// Should be looked at.
    Low,
    /// Weakens a control.
    Medium,
    /// A hole, or an operation that is not served.
    High,
}

/// `explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The id in `Request-Id` and in the problem's `instance`; any unique prefix.
    pub(crate) id: String,
    /// Configuration file that says where the trail is.
    #[arg(short, long, value_name = "FILE", conflicts_with = "audit")]
    pub(crate) config: Option<PathBuf>,
    /// The trail's directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) audit: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check every record and signature; exit 6 names the first bad record.
    Verify(VerifyOptions),
}

/// `audit verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The trail's directory.
    pub(crate) directory: PathBuf,
    /// The public key (`FILE.pub` beside the signing key).
    #[arg(long, value_name = "FILE.pub")]
    pub(crate) key: PathBuf,
    /// An older checkpoint the trail must still contain; detects truncation.
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) anchor: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make an audit signing key (mode 0600) and `FILE.pub` beside it.
    Audit(AuditKeyOptions),
}

/// `keys audit`
#[derive(Debug, Args)]
pub(crate) struct AuditKeyOptions {
    /// Where the signing key goes; an existing file is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Name of the log (default: the host name).
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
}

/// `reason`
#[derive(Debug, Args)]
pub(crate) struct ReasonOptions {
    /// A code such as `object.not_owner`; none: all of them.
    pub(crate) code: Option<String>,
}

/// `rule`
#[derive(Debug, Args)]
pub(crate) struct RuleOptions {
    /// A rule such as `PC0202`; none: all of them.
    pub(crate) rule: Option<String>,
}

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
