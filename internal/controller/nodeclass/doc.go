// Package nodeclass has the cloud resolve each NodeClass again whenever it, or a claim
// that uses it, changes, and when the cloud asks for it.
//
// What resolving means is the cloud's business; this package only knows when.
package nodeclass
