# plimsoll: guest.vm["a"], deployment sql-prod, run 1
# Never executed on Windows by its makers: its grammar and its text are tested.
#   holds address 65.52.0.1
#   holds weak host receive on the interface of 10.0.0.4
#   holds weak host send on the ipv4 loopback interface
#   holds firewall tcp port 8080 to 65.52.0.1
#   holds firewall tcp port 8081 from 168.63.129.16 to 10.0.0.4
& {
# What this machine is like, read only: one framed answer. Everything comes from objects and from the registry, never from
# text that follows the display language, and leaves as ASCII, whatever the code page of the console is.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$plimsollFolder = [IO.Path]::Combine([Environment]::GetFolderPath('CommonApplicationData'), 'plimsoll')
$plimsollRecord = [IO.Path]::Combine($plimsollFolder, 'record.json')
$stores = 'ActiveStore', 'PersistentStore'
function Test-Administrator {
  $user = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
  $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}
function Get-Digest([byte[]] $bytes) {
  $hash = [Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
  [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}
# A part that cannot be read leaves its place empty and says why; the others still come.
function Add-Part($facts, [string] $name, [scriptblock] $read) {
  try { $facts[$name] = @(& $read) }
  catch {
    $facts[$name] = $null
    [void] $facts['unread'].Add($name + ': ' + $_.Exception.Message)
  }
}
# A rule that lets in one program or service admits nobody for us, so it stays behind: most rules are of that kind.
function Get-InboundRules([string] $from, [string] $key) {
  if (-not (Test-Path -LiteralPath $key)) { return }
  $rules = Get-Item -LiteralPath $key
  foreach ($id in $rules.GetValueNames()) {
    $text = [string] $rules.GetValue($id)
    if ($text -notmatch '\|Dir=In\|' -or $text -notmatch '\|Active=TRUE\|') { continue }
    if ($text -match '\|Action=Allow\|' -and $text -match '\|(App|Svc|AppPkgId|LUOwn)=[^*]') { continue }
    [ordered]@{ from = $from; id = [string] $id; text = [regex]::Replace($text, '\|Desc=[^|]*', '') }
  }
}
# The record, and who owns its folder: everybody may make folders there.
function Get-RecordFact {
  if (-not (Test-Path -LiteralPath $plimsollRecord)) { return }
  $bytes = [IO.File]::ReadAllBytes($plimsollRecord)
  [ordered]@{
    text = [Text.Encoding]::UTF8.GetString($bytes)
    sha256 = Get-Digest $bytes
    owner = Get-FolderOwner
  }
}
function Get-FolderOwner {
  [string] (Get-Acl -LiteralPath $plimsollFolder).GetOwner([Security.Principal.SecurityIdentifier])
}
function Get-Facts {
  $facts = [ordered]@{ administrator = [bool] (Test-Administrator); unread = New-Object Collections.ArrayList }
  $facts['host'] = [string] [Environment]::MachineName
  $facts['version'] = [string] [Environment]::OSVersion.Version
  Add-Part $facts 'boot' { (Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('o') }
  Add-Part $facts 'settings' {
    foreach ($store in $stores) {
      Get-NetIPInterface -PolicyStore $store -ErrorAction SilentlyContinue | ForEach-Object {
        [ordered]@{
          store = $store; index = [int] $_.InterfaceIndex; name = [string] $_.InterfaceAlias
          family = [string] $_.AddressFamily; receive = [string] $_.WeakHostReceive; send = [string] $_.WeakHostSend
        }
      }
    }
  }
  Add-Part $facts 'adapters' {
    Get-NetAdapter -IncludeHidden | Where-Object { $_.ifIndex } | ForEach-Object {
      [ordered]@{
        index = [int] $_.ifIndex; component = [string] $_.ComponentID
        description = [string] $_.InterfaceDescription; hardware = [string] $_.MacAddress
        up = [bool] ([string] $_.Status -eq 'Up')
      }
    }
  }
  Add-Part $facts 'addresses' {
    foreach ($store in $stores) {
      Get-NetIPAddress -PolicyStore $store -ErrorAction SilentlyContinue | ForEach-Object {
        [ordered]@{
          store = $store; index = [int] $_.InterfaceIndex; address = [string] $_.IPAddress
          prefix = [int] $_.PrefixLength; state = [string] $_.AddressState; hidden = [bool] $_.SkipAsSource
        }
      }
    }
  }
  Add-Part $facts 'listeners' {
    $names = @{}
    Get-Process | ForEach-Object { $names[[int] $_.Id] = [string] $_.ProcessName }
    $tcp = Get-NetTCPConnection -State Listen | ForEach-Object {
      'tcp {0} {1} {2}' -f $_.LocalAddress, $_.LocalPort, $names[[int] $_.OwningProcess]
    }
    $udp = Get-NetUDPEndpoint | ForEach-Object {
      'udp {0} {1} {2}' -f $_.LocalAddress, $_.LocalPort, $names[[int] $_.OwningProcess]
    }
    @($tcp) + @($udp) | Sort-Object -Unique
  }
  Add-Part $facts 'service' { [string] (Get-Service -Name mpssvc).Status }
  Add-Part $facts 'profiles' {
    Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object {
      [ordered]@{
        name = [string] $_.Name; enabled = [string] $_.Enabled; inbound = [string] $_.DefaultInboundAction
        allows = [string] $_.AllowInboundRules; local = [string] $_.AllowLocalFirewallRules
      }
    }
  }
  Add-Part $facts 'networks' {
    Get-NetConnectionProfile | ForEach-Object {
      [ordered]@{ index = [int] $_.InterfaceIndex; category = [string] $_.NetworkCategory }
    }
  }
  Add-Part $facts 'rules' {
    $service = 'HKLM:\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy'
    Get-InboundRules 'local' ($service + '\FirewallRules')
    Get-InboundRules 'management' ($service + '\Mdm\FirewallRules')
    Get-InboundRules 'policy' 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules'
  }
  Add-Part $facts 'record' { Get-RecordFact }
  $json = ConvertTo-Json -InputObject $facts -Depth 6 -Compress
  [regex]::Replace($json, '[^\x20-\x7e]', { param($found) '\u{0:x4}' -f [int] [char] $found.Value })
}
# The length first, the end mark last: an answer that was cut anywhere is not believed.
function Write-Facts {
  $json = Get-Facts
  [Console]::Out.Write("`nplimsoll-facts 1 " + $json.Length + "`n" + $json + "`nplimsoll-facts-end`n")
}
# The parts that every write is made of.
$ended = @{ status = 0; lock = $null; moved = New-Object Collections.ArrayList }
function Deny-Write([int] $status, [string] $why) {
  $ended.status = $status
  throw $why
}
function Enter-Guest {
  if (-not (Test-Administrator)) { Deny-Write 77 'not an administrator' }
  $ended.lock = New-Object Threading.Mutex $false, 'Global\plimsoll'
  try { $mine = $ended.lock.WaitOne(20000) }
  # Whoever held it died: what was set is in the record.
  catch [Threading.AbandonedMutexException] { $mine = $true }
  if (-not $mine) {
    $ended.lock = $null
    Deny-Write 75 'another run of plimsoll holds the lock of this guest'
  }
  if (Test-Path -LiteralPath $plimsollFolder) {
    if ('S-1-5-18', 'S-1-5-32-544' -notcontains (Get-FolderOwner)) {
      Deny-Write 78 ($plimsollFolder + ' belongs to someone who is not an administrator; look into it and remove it')
    }
  }
}
function Exit-Guest {
  if ($ended.lock) { $ended.lock.ReleaseMutex() }
}
# A script that was sent earlier and comes late must do nothing.
function Assert-Run([string] $deployment, [long] $run) {
  if (-not (Test-Path -LiteralPath $plimsollRecord)) { return }
  $record = ConvertFrom-Json ([IO.File]::ReadAllText($plimsollRecord))
  $newest = $record.runs.$deployment
  if ($newest -and [long] $newest -gt $run) {
    Deny-Write 74 ('this guest has seen run ' + $newest + ' of ' + $deployment + ', this is run ' + $run)
  }
}
# The record must be what the plan saw, or what this very script leaves behind.
function Assert-Record([string[]] $accepted) {
  $found = 'absent'
  if (Test-Path -LiteralPath $plimsollRecord) { $found = Get-Digest ([IO.File]::ReadAllBytes($plimsollRecord)) }
  if ($accepted -notcontains $found) { Deny-Write 76 'the record of this guest was changed since it was read' }
}
function Get-Held([string] $store, [string] $address) {
  $wanted = [Net.IPAddress]::Parse($address)
  Get-NetIPAddress -PolicyStore $store -ErrorAction SilentlyContinue |
    Where-Object { $wanted.Equals([Net.IPAddress]::Parse($_.IPAddress)) }
}
function Add-Moved([string] $what) { [void] $ended.moved.Add($what) }
function Assert-Address([string] $address) {
  if (-not (Get-Held 'ActiveStore' $address)) { Add-Moved ('address ' + $address + ' is gone') }
}
# Indexes are what commands take; that one is still the same interface shows by its address.
function Assert-Interface([int] $index, [string] $address) {
  if (-not (Get-Held 'ActiveStore' $address | Where-Object { $_.InterfaceIndex -eq $index })) {
    Add-Moved ('interface ' + $index + ' no longer holds ' + $address)
  }
}
function Assert-WeakHost([int] $index, [string] $family, [string] $direction) {
  $now = Get-NetIPInterface -InterfaceIndex $index -AddressFamily $family -PolicyStore ActiveStore
  if ([string] $now.('WeakHost' + $direction) -ne 'Enabled') {
    Add-Moved ('weak host ' + $direction + ' of interface ' + $index + ' is off')
  }
}
function Get-Opening([string] $name) {
  Get-NetFirewallRule -PolicyStore PersistentStore -Name $name -ErrorAction SilentlyContinue
}
function Assert-Opening([string] $name) {
  if (-not (Get-Opening $name)) { Add-Moved ('firewall rule ' + $name + ' is gone') }
}
function Assert-Unmoved {
  if ($ended.moved.Count) { Deny-Write 73 ($ended.moved -join "`n") }
}
# Written beside its place and moved there: a reader sees the old text or the new one.
function Save-Record([string] $text) {
  if (-not (Test-Path -LiteralPath $plimsollFolder)) {
    [void] [IO.Directory]::CreateDirectory($plimsollFolder)
    # By number, because groups are named in the system's language: only the system and administrators write there.
    [void] (& icacls.exe $plimsollFolder /setowner '*S-1-5-32-544' /q)
    [void] (& icacls.exe $plimsollFolder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' /q)
    if ($LASTEXITCODE -ne 0) { Deny-Write 78 ('cannot protect ' + $plimsollFolder) }
  }
  $draft = $plimsollRecord + '.plimsoll'
  $bytes = (New-Object Text.UTF8Encoding $false).GetBytes($text.Replace("`r", ''))
  $file = [IO.File]::Create($draft)
  try {
    $file.Write($bytes, 0, $bytes.Length)
    $file.Flush($true)
  } finally { $file.Dispose() }
  if (Test-Path -LiteralPath $plimsollRecord) { [IO.File]::Replace($draft, $plimsollRecord, [NullString]::Value) }
  else { [IO.File]::Move($draft, $plimsollRecord) }
}
# Both stores: what runs now and what comes back at boot. Never a source of outgoing packets: Azure drops those.
function Add-Address([int] $index, [string] $address, [int] $prefix) {
  $new = @{ InterfaceIndex = $index; IPAddress = $address; PrefixLength = $prefix; SkipAsSource = $true }
  $missing = @($stores | Where-Object { -not (Get-Held $_ $address | Where-Object { $_.InterfaceIndex -eq $index }) })
  if ($missing.Count -eq 1) { $new['PolicyStore'] = $missing[0] }
  if ($missing.Count) { [void] (New-NetIPAddress @new) }
  # A tentative address cannot be bound yet.
  for ($turn = 0; $turn -lt 20; $turn++) {
    if (-not (Get-Held 'ActiveStore' $address | Where-Object { [string] $_.AddressState -eq 'Tentative' })) { return }
    Start-Sleep -Milliseconds 500
  }
}
function Remove-Address([int] $index, [string] $address, [int] $prefix) {
  foreach ($store in $stores) {
    Get-Held $store $address | Where-Object { $_.InterfaceIndex -eq $index -and $_.PrefixLength -eq $prefix } | ForEach-Object {
      Remove-NetIPAddress -InterfaceIndex $index -IPAddress $address -PolicyStore $store -Confirm:$false
    }
  }
}
function Set-WeakHost([int] $index, [string] $family, [string] $direction, [string] $value) {
  $set = @{ InterfaceIndex = $index; AddressFamily = $family; ('WeakHost' + $direction) = $value }
  Set-NetIPInterface @set
}
# An admin's rule under our name would be his: the group is the mark of ours.
function Set-Opening([string] $name, [hashtable] $rule) {
  $found = Get-Opening $name
  if (-not $found) {
    [void] (New-NetFirewallRule -Name $name -DisplayName $name -Group 'plimsoll' -Direction Inbound -Action Allow -Profile Any @rule)
    return
  }
  if ([string] $found.Group -ne 'plimsoll') { Deny-Write 78 ('firewall rule ' + $name + ' exists and is not of plimsoll; rename it') }
  # Changed in its place: between a removal and a new one nothing would come through.
  Set-NetFirewallRule -Name $name -Enabled True -Direction Inbound -Action Allow -Profile Any @rule
}
function Remove-Opening([string] $name) {
  Get-Opening $name | Where-Object { [string] $_.Group -eq 'plimsoll' } | Remove-NetFirewallRule
}
try {
Enter-Guest
Assert-Run 'sql-prod' 1
Assert-Record @('absent', '2f99ad4d7414aa69c352f38b11507afb8b1a3f29fe0d7981061cbf75ce74ba1a')
Assert-Interface 6 '10.0.0.4'
Assert-Unmoved
Save-Record '{
  "format": "plimsoll-guest-record",
  "version": 1,
  "runs": {
    "sql-prod": 1
  },
  "entries": {
    "address 65.52.0.1": {
      "claims": [
        {
          "deployment": "sql-prod",
          "lineage": "lineage"
        }
      ]
    },
    "firewall tcp port 8081 from 168.63.129.16 to 10.0.0.4": {
      "claims": [
        {
          "deployment": "sql-prod",
          "lineage": "lineage"
        }
      ]
    },
    "firewall tcp port 8080 to 65.52.0.1": {
      "claims": [
        {
          "deployment": "sql-prod",
          "lineage": "lineage"
        }
      ]
    },
    "weak host receive on the interface of 10.0.0.4": {
      "claims": [
        {
          "deployment": "sql-prod",
          "lineage": "lineage"
        }
      ],
      "prior": {
        "interface": 6,
        "enabled": false
      }
    },
    "weak host send on the ipv4 loopback interface": {
      "claims": [
        {
          "deployment": "sql-prod",
          "lineage": "lineage"
        }
      ],
      "prior": {
        "interface": 1,
        "enabled": false
      }
    }
  }
}
'
Add-Address 1 '65.52.0.1' 32
Set-WeakHost 6 'IPv4' 'Receive' 'Enabled'
Set-WeakHost 1 'IPv4' 'Send' 'Enabled'
Set-Opening 'plimsoll-tcp-8080-to-65.52.0.1' @{ Protocol = 'TCP'; LocalAddress = '65.52.0.1'; LocalPort = 8080; RemoteAddress = 'Any' }
Set-Opening 'plimsoll-tcp-8081-from-168.63.129.16-to-10.0.0.4' @{ Protocol = 'TCP'; LocalAddress = '10.0.0.4'; LocalPort = 8081; RemoteAddress = '168.63.129.16' }
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
