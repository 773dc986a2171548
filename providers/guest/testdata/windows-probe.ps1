# Reads what plimsoll must know about this machine. Changes nothing.
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
Write-Facts
if (Test-Path variable:plimsollPacked) { 0 } else { exit 0 }
}
