# A table of "field type" lines to a C struct. Comments and empty lines say nothing.
BEGIN { print "struct " name " {" }
/^#/ || NF == 0 { next }
{
    field = $1
    $1 = ""
    sub(/^ +/, "")
    print $0 " " field ";"
}
END { print "};" }
