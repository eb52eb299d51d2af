#!/usr/bin/env bash
# The same as librdkafka.sh, with every producer idempotent.
VARIANT=idempotent exec "$(dirname "$0")/librdkafka.sh" "$@"
