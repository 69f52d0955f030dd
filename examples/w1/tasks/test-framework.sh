# Names each module that has no test beside it.
set -eu
sleep "$NAP"
for module in material/modules/*.sh; do
    case $module in
    *.test.sh) ;;
    *) test -e "${module%.sh}.test.sh" || echo "$module: no test" ;;
    esac
done
