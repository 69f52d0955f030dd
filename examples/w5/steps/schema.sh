sleep 0.2; echo "columns: name, amount"
