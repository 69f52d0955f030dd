# Asks the service for what one source says. Busy at first (75: ask again); a source may be gone.
answer=$1
grep -q '^gone$' "$answer" && { echo "$answer: the source is gone" >&2; exit 1; }
[ "$TASKR_ATTEMPT" -gt 1 ] || ! grep -q '^busy$' "$answer" || exit 75
grep -v '^busy$' "$answer"
