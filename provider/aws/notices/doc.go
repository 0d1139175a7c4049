// Package notices reads what EventBridge puts into the interruption queue, and takes it out.
//
// Parse understands every shape that AWS documents, old and new, and turns everything else into a notice that asks for
// nothing: no message can stop the queue. What becomes of the machines is not decided here.
package notices
