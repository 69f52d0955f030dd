sleep 0.4; echo 120 rows
