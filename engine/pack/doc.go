// Package pack makes a plan in terms of classes: how many pods of each go on which node, and which nodes to open.
//
// It goes round between three others. Place fills nodes that exist and settles the domain of every pod that a topology
// rule looks at; what is left are items. Binpack packs items into new nodes. Items for which no node can be opened
// after all give up a preference, or try another domain, and go round again. In the end verify holds the plan against
// what kube-scheduler will see. Pack itself decides who goes first when not all can have a node.
package pack
