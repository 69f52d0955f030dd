# Plays an agent: works for so many seconds, reports, and tells its metrics.
brief=$1 seconds=$2
echo "reading $brief"
sleep "$seconds"
grep -v '^[a-z_]*=' "$brief" > "$OUT/report.txt"
grep '^[a-z_]*=' "$brief" > "$TASKR_METRICS"
echo "done"
