# A header from lines of a name and a text.
{ name = $1; sub(/^[^ ]+ +/, ""); printf "#define %s \"%s\"\n", name, $0 }
