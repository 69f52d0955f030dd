sleep 0.4; echo 8 rules
