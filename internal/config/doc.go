// Package config holds what the operator of the daemon may choose: one Config, read once
// from flags and the environment, checked whole, and printable.
//
// Every setting has a flag in kebab-case and a variable in UPPER_SNAKE; the flag wins.
// Names, defaults and meanings are Karpenter's where Karpenter has them. Problems are
// reported all at once, under the name that the user typed. Nothing else in the daemon
// reads the environment for settings.
package config
