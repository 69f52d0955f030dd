. ./add.sh
test "$(add 1 2)" = 3
