# Sourced after common.sh: where cargo puts what it builds, and which tests there are.

# target_directory: cargo's, wherever the environment or a configuration moves it.
target_directory() { (cd "$repo" && cargo metadata --format-version 1 --no-deps | grep -o '"target_directory":"[^"]*"' | cut -d '"' -f 4); }

# test_targets: the names of the integration tests of all packages of the workspace, one a line.
test_targets() {
  (cd "$repo" && cargo metadata --format-version 1 --no-deps) | python3 -c '
import json, sys
names = {t["name"] for p in json.load(sys.stdin)["packages"] for t in p["targets"] if "test" in t["kind"] and t["test"]}
print("\n".join(sorted(names)))'
}
