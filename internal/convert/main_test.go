package convert_test

import "flag"

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")
