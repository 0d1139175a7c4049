// Package contestant knows who competes, and how each is started on a cluster: with the rights of its own chart or, for
// a controller of others, those of an administrator.
package contestant
