// Package screen is the terminal viewer of a fleet. What is drawn is a function of the Model alone; a Model changes by
// keys and by frames that somebody hands it. It reads nothing, and never writes to a cluster.
package screen
