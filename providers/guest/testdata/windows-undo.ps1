# plimsoll: guest.vm["a"], deployment sql-prod, run 2
# Never executed on Windows by its makers: its grammar and its text are tested.
#   lets go of address 65.52.0.1
#   lets go of weak host receive on the interface of 10.0.0.4
#   lets go of weak host send on the ipv4 loopback interface
#   lets go of firewall tcp port 8080 to 65.52.0.1
#   lets go of firewall tcp port 8081 from 168.63.129.16 to 10.0.0.4
& {
# What this machine is like, read only: one framed answer. Everything comes from objects and from the registry, never from
# text that follows the display language, and leaves as ASCII, whatever the code page of the console is.
…

Enter-Guest
Assert-Run 'sql-prod' 2
Assert-Record @('0000000000000000000000000000000000000000000000000000000000000000', '15eaaaf37fa4dd40ba01d742a8ad579b3f2551299d615bd554116dd0e0294ae7', 'caf38ce0fe3d5950e1b85a5f915980ab702b293cf543346088367a613c36fbd9')
Assert-Unmoved
Remove-Address 1 '65.52.0.1' 32
Set-WeakHost 6 'IPv4' 'Receive' 'Disabled'
Set-WeakHost 1 'IPv4' 'Send' 'Disabled'
Remove-Opening 'plimsoll-tcp-8080-to-65.52.0.1'
Save-Record '{
  "format": "plimsoll-guest-record",
  "version": 1,
  "runs": {
    "sql-prod": 2
  },
  "entries": {
    "firewall tcp port 8081 from 168.63.129.16 to 10.0.0.4": {
      "claims": [
        {
          "deployment": "other",
          "lineage": "lineage"
        }
      ]
    }
  }
}
'
Write-Facts
} catch {
  if (-not $ended.status) { $ended.status = 78 }
  $why = [regex]::Replace($_.Exception.Message.Replace("`r", ''), '[^\x20-\x7e\n]', '?')
  foreach ($line in $why.Split("`n")) {
    [Console]::Out.Write("`nplimsoll-refused " + $ended.status + ' ' + $line)
  }
  [Console]::Out.Write("`n")
} finally { Exit-Guest }
if (Test-Path variable:plimsollPacked) { $ended.status } else { exit $ended.status }
}
