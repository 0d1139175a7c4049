// Package pages runs what the documentation tells people to type. Every block of shell commands in the README and under
// docs is either run on a playground or says why it is not.
package pages
