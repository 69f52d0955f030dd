# Fails, and names the line, if a configuration holds a password.
set -eu
sleep "$NAP"
if grep -n '^password *= *[^$ ]' material/config/*.ini /dev/null >&2; then
    echo "a password belongs into the environment" >&2
    exit 1
fi
for config in material/config/*.ini; do
    grep -q '^tls *= *on$' "$config" || echo "$config: tls is off"
done
