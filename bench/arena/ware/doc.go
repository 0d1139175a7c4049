// Package ware says what every contestant may buy: instance types, prices and NodePools, each from one place, so that
// nobody can be given another market than the others.
package ware
