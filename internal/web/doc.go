// Package web serves the fleet as a page: plain files that a browser runs as they are, and one stream that keeps them
// current. It can only be read. Who may is up to whoever serves it: on loopback it is whoever sits there, in a cluster
// internal/serve stands before what carries data.
//
// Everything is embedded, and nothing comes from anywhere else; page/ holds the sources themselves, and nothing builds
// them. uPlot, which draws the chart, is MIT-licensed; its licence is beside it.
package web
