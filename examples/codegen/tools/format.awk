# Aligns the names of the fields. Reads the file twice: first for the widest type.
function type() { return $1 (NF > 2 ? " " $2 : "") }
/^(struct .*{|};)$/ {
    if (NR != FNR) print
    next
}
NR == FNR {
    if (length(type()) > widest) widest = length(type())
    next
}
{ printf "    %-" widest "s %s\n", type(), $NF }
