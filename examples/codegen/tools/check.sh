# check.sh HEADER...: refuses lines over 80 columns and structs that are declared twice.
set -eu
if grep -nE '^.{81}' "$@" /dev/null; then
    echo "too long" >&2
    exit 1
fi
twice=$(sed -n 's/^struct \(.*\) {$/\1/p' "$@" | sort | uniq -d)
if [ -n "$twice" ]; then
    echo "declared twice: $twice" >&2
    exit 1
fi
