package integration

import (
	"fmt"
	"strings"
)

// missingFrom says which of the words a text lacks, or nothing.
func missingFrom(text string, words ...string) string {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return fmt.Sprintf("%q is not in %q", w, text)
		}
	}
	return ""
}
