// Package explain turns reasons into text.
//
// Reasons are data until here, and here is the only place where they become words, so
// that events, the command line and screens say the same thing. The text of equal
// reasons is equal: no clocks, no map order, nothing cut.
package explain
