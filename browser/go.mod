module github.com/dovetail-sh/dovetail/browser

go 1.26.0

require (
	github.com/chromedp/chromedp v0.15.1
	github.com/dovetail-sh/dovetail v0.0.0
)

require github.com/chromedp/cdproto v0.0.0-20260321001828-e3e3800016bc

require (
	github.com/charmbracelet/x/ansi v0.11.8 // indirect
	github.com/chromedp/sysutil v1.1.0 // indirect
	github.com/clipperhouse/displaywidth v0.11.0 // indirect
	github.com/clipperhouse/uax29/v2 v2.7.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260214004413-d219187c3433 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.4.0 // indirect
	github.com/lucasb-eyer/go-colorful v1.4.1 // indirect
	github.com/mattn/go-runewidth v0.0.27 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/dovetail-sh/dovetail => ../
