// Package pace is a clock that runs faster or slower than the wall's, so that
// a week passes in minutes. It only stretches time; it never jumps.
package pace

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Clock tells a time that passes speed times as fast as real time. What waits
// on it when the speed changes still waits as long as it would have.
type Clock struct {
	mu    sync.Mutex // guards the fields below
	speed float64
	real  time.Time // when the speed was set, by the wall
	told  time.Time // what this clock said then
}

// New makes a clock that starts at the wall's time and runs as fast.
func New() *Clock {
	now := time.Now()
	return &Clock{speed: 1, real: now, told: now.UTC()}
}

// MaxSpeed is how fast the clock may run: a week in a minute. Beyond that
// timers are too coarse for the account's seconds.
const MaxSpeed = 10_000

// SetSpeed has time pass speed times as fast as the wall's from now on.
func (c *Clock) SetSpeed(speed float64) error {
	if !(speed > 0 && speed <= MaxSpeed) { // also refuses NaN
		return fmt.Errorf("speed is %v, want more than 0 and at most %d", speed, MaxSpeed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.real = c.nowLocked(), time.Now()
	c.speed = speed
	return nil
}

// Speed is how many times as fast as the wall's time passes.
func (c *Clock) Speed() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.speed
}

func (c *Clock) nowLocked() time.Time {
	return c.told.Add(time.Duration(float64(time.Since(c.real)) * c.speed))
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

// Since is how much of the clock's time passed.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// wall is how long the wall takes for a stretch of the clock's time.
func (c *Clock) wall(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.Speed())
}

// After fires when d of the clock's time passed.
func (c *Clock) After(d time.Duration) <-chan time.Time { return time.After(c.wall(d)) }

// Sleep waits for d of the clock's time.
func (c *Clock) Sleep(d time.Duration) { time.Sleep(c.wall(d)) }

// Tick fires every d of the clock's time.
func (c *Clock) Tick(d time.Duration) <-chan time.Time { return time.Tick(c.wall(d)) }

// NewTimer makes a timer of the clock's time. The times on its channel are the
// wall's.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	return &timer{time.NewTimer(c.wall(d)), c}
}

type timer struct {
	*time.Timer
	clock *Clock
}

func (t *timer) C() <-chan time.Time        { return t.Timer.C }
func (t *timer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.wall(d)) }
