// Package browser tries the web page in a real browser: Debian's package chromium, headless. Its tests skip, and say
// so,
// where there is none.
//
// The pictures of the page in the documentation are made here: go test -run Pictures -rewrite.
package browser
