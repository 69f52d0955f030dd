# Names each design document that has no section "Decision".
set -eu
sleep "$NAP"
for document in material/design/*.md; do
    grep -q '^## Decision$' "$document" || echo "$document: no decision"
done
