// Reads printers with gosnmp: BulkWalk from mib-2 until the end, in so many goroutines, each of which
// takes the next printer.
//
// gosnmp PRINTERS AT_ONCE REPETITIONS: prints a line of the form that ours prints.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gosnmp/gosnmp"
)

// What the responder is, as src/lib.rs and src/office.rs have it.
const (
	port    = 16161
	objects = 127
)

// What all goroutines count.
var next, whole, packets, again int64

func main() {
	var words [3]int
	if len(os.Args) != 4 {
		fatal(fmt.Errorf("gosnmp PRINTERS AT_ONCE REPETITIONS"))
	}
	for at := range words {
		word, err := strconv.Atoi(os.Args[at+1])
		if err != nil {
			fatal(err)
		}
		words[at] = word
	}
	printers, atOnce, repetitions := words[0], words[1], words[2]
	began, cpuBefore := time.Now(), cpu()
	var workers sync.WaitGroup
	for worker := 0; worker < atOnce; worker++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				at := int(atomic.AddInt64(&next, 1))
				if at > printers {
					return
				}
				if err := walk(address(at), uint32(repetitions)); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		}()
	}
	workers.Wait()
	fmt.Printf("gosnmp %d: %d of %d, %.4f s, %.4f s CPU, %.2f packets a printer, %d again\n", repetitions, whole,
		printers, time.Since(began).Seconds(), (cpu() - cpuBefore).Seconds(), float64(packets)/float64(printers), again)
	fmt.Println(peak())
}

// The address of the printer of this number, from 1.
func address(number int) string {
	first := uint32(127)<<24 | 20<<16
	at := first + uint32(number)
	return net.IPv4(byte(at>>24), byte(at>>16), byte(at>>8), byte(at)).String()
}

// Collects the objects of one printer.
func walk(address string, repetitions uint32) error {
	client := &gosnmp.GoSNMP{
		Target: address, Port: port, Community: "public", Version: gosnmp.Version2c,
		Timeout: 5 * time.Second, MaxRepetitions: repetitions, MaxOids: gosnmp.MaxOids,
		OnSent:  func(*gosnmp.GoSNMP) { atomic.AddInt64(&packets, 1) },
		OnRetry: func(*gosnmp.GoSNMP) { atomic.AddInt64(&again, 1) },
	}
	if err := client.Connect(); err != nil {
		return err
	}
	defer client.Conn.Close()
	kept := make([]gosnmp.SnmpPDU, 0, 128)
	err := client.BulkWalk(".1.3.6.1.2.1", func(object gosnmp.SnmpPDU) error {
		kept = append(kept, object)
		return nil
	})
	if err == nil && len(kept) == objects {
		atomic.AddInt64(&whole, 1)
	}
	return err
}

// CPU time of this process so far.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// The line of what the kernel says of this process's peak memory.
func peak() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM") {
			return line
		}
	}
	return ""
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
