package daemon

import (
	"github.com/dovetail-sh/dovetail/internal/controller/buffer"
)

// addBuffers adds what keeps room free for CapacityBuffers, if the gate is open.
func (k *kit) addBuffers() error {
	if !k.config.Gates.CapacityBuffer {
		return nil
	}
	r, err := buffer.New(buffer.Deps{Client: k.client, Clock: k.clock, Keep: k.mirror})
	if err != nil {
		return err
	}
	k.buffers = r
	return r.Register(k.manager)
}
