# `just` lists the recipes. Continuous integration calls the same ones a person does.

set positional-arguments

[private]
default:
    @just --list --unsorted

# install what the tests need and this machine lacks
[group('start')]
setup:
    scripts/setup

# gateway, sample MCP server and stand-in GitHub on loopback
[group('start')]
dev *args:
    cargo run --release -- dev "$@"

# format the code
[group('code')]
fmt:
    cargo fmt --all

# fail if the code is not formatted
[group('code')]
fmt-check:
    cargo fmt --all --check

# every lint, with and without the sandbox
[group('code')]
lint:
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo clippy -p mcp-gateway-gateway --no-default-features -- -D warnings

# which crates may come in, under which licences, from where
[group('code')]
deny:
    cargo deny --log-level error check bans licenses sources

# the words build alone, without I/O or framework
[group('code')]
model:
    cargo check -p mcp-gateway-model
    @! cargo tree -p mcp-gateway-model -e normal --prefix none | grep -E '^(tokio|actix-web|hyper|reqwest|redis|redb) '

# documentation, warnings are errors
[group('code')]
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# links between documents lead somewhere
[group('code')]
links:
    scripts/check-links

# all tests: real Redis, real Traefik, Chromium; or those the arguments choose: just test -p mcp-gateway-store
[group('test')]
test *args="--workspace":
    cargo nextest run --no-fail-fast "$@"

# every order in which threads can go through the verifier's memory, tried one by one
[group('test')]
loom:
    RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" cargo test --quiet -p mcp-gateway-watch --test it

# twenty seconds of the soak, judged by the order of events and by no time
[group('test')]
soak-order:
    cargo build --workspace --examples --bins
    "${CARGO_TARGET_DIR:-target}/debug/examples/bench" soak --order --seconds 20 --gateway "${CARGO_TARGET_DIR:-target}/debug/mcp-oauth-gateway"

# the examples in the documentation run
[group('test')]
doctest:
    cargo test --quiet --workspace --doc

# the examples compile
[group('test')]
examples:
    cargo build --workspace --examples

# the shipped docker-compose.yml, brought up for real
[group('test')]
compose-test:
    scripts/compose-test

# size, memory at rest and start-up time of the stripped binary without the sandbox
[group('test')]
size:
    scripts/size

# every performance goal beside its figure; --quick for a look, --record on a quiet machine
[group('measure')]
bench *args:
    scripts/bench speed "$@"

# cost of verify and token with up to two million grants in the store, and what they weigh there
[group('measure')]
bench-growth *args:
    scripts/bench growth "$@"

# ten minutes of grants that end and are prolonged at random: none too late, none refused that lives; --seconds 60 for less
[group('measure')]
soak *args:
    scripts/bench soak "$@"

# instructions per request of the hot path; fails when they grew by more than 10 %
[group('measure')]
callgrind *args:
    scripts/bench callgrind "$@"

# every check but the compose test
[group('ci')]
checks: fmt-check links deny model lint doc examples test doctest loom soak-order

# every check there is
[group('ci')]
ci: checks compose-test size
